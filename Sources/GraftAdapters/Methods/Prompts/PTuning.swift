import GraftConfiguration
import GraftLayers
import GraftTensors

/// Embeddings of virtual tokens that a small network makes of a trained table; files for inference keep what it makes.
///
/// Liu et al. 2021, "GPT understands, too", section 2.2.
public struct PTuning: PromptMethod, SpelledKeys {
  public static let name = "P_TUNING"
  public static let defaultLearningRate = 1e-3
  public static let card = MethodCard(
    title: "P-tuning", formula: "vectors, made by a small network, before the embedded tokens", parameters: "`V h` and the network's; `V h` are kept",
    seam: "token embedding", source: "Liu et al. 2021")

  /// The network that makes the vectors.
  public enum Encoder: String, ConfigChoice {
    /// Three layers with ReLU between them.
    case mlp = "MLP"
    /// An LSTM in both directions, and two layers behind it.
    case lstm = "LSTM"
  }

  public var promptKeys = PromptKeys()
  package var encoder = Encoder.mlp
  /// The embeddings' width where nil.
  package var encoderHiddenSize: Int?
  /// The layers of the recurrent network, and the dropout between them.
  package var encoderNumLayers = 2
  package var encoderDropout = 0.0

  public init() {}

  public static let keySpellings = ["encoder": "encoder_reparameterization_type"]

  public static var recipeDefaults: PTuning {
    var method = PTuning()
    method.numVirtualTokens = 20
    return method
  }

  public var isMergeable: Bool { false }

  public func attach(to sites: SiteCatalog, in attachment: Attachment) throws {
    let shape = try PromptShape(numVirtualTokens, submodules: numTransformerSubmodules, in: sites)
    let width = shape.width
    let stored: Shape = [shape.storedCount, width]
    let table: (Pass) -> Tensor
    if attachment.isLoading && !attachment.sourceNames.contains("prompt_encoder.embedding.weight") {
      let embeddings = try attachment.root.parameter("prompt_embeddings", stored, .zeros)
      table = { _ in embeddings.operand }
    } else {
      let scope = attachment.root / "prompt_encoder"
      let embeddings = try (scope / "embedding").parameter("weight", stored, .normal(standardDeviation: 1))
      let network = try network(scope, width: width)
      table = { network(embeddings.operand, $0) }
      try attachment.store({ table(.inference) }, as: "prompt_embeddings", insteadOf: scope.path, shape: stored)
    }
    try attachment.fill(shape.embedding, with: VirtualTokens(count: shape.count, table: table))
    attachment.modulePrefix = "base_model"
    try attachment.adoptModules(modulesToSave ?? [], of: sites)
  }

  /// Returns the network that makes embeddings of its table: three layers, or a recurrent network and two layers.
  private func network(_ scope: Scope, width: Int) throws -> (_ table: Tensor, Pass) -> Tensor {
    let hidden = encoderHiddenSize ?? width
    let head = scope / "mlp_head"
    guard hidden > 0 else { throw TuningError("encoder_hidden_size: is \(hidden); it must be at least 1") }
    switch encoder {
    case .mlp:
      let layers = [
        try PromptLayer(head / 0, in: width, out: hidden), try PromptLayer(head / 2, in: hidden, out: hidden),
        try PromptLayer(head / 4, in: hidden, out: width),
      ]
      return { table, _ in layers[2](activate(layers[1](activate(layers[0](table), .relu)), .relu)) }
    case .lstm:
      guard encoderNumLayers > 0 else { throw TuningError("encoder_num_layers: is \(encoderNumLayers); it must be at least 1") }
      guard (0..<1).contains(encoderDropout) else {
        throw TuningError("encoder_dropout: is \(encoderDropout); it must be at least 0 and below 1")
      }
      let recurrent = try BidirectionalLSTM(
        scope / "lstm_head", in: width, hidden: hidden, layers: encoderNumLayers, dropout: Float(encoderDropout))
      let inner = try PromptLayer(head / 0, in: 2 * hidden, out: 2 * hidden)
      let outer = try PromptLayer(head / 2, in: 2 * hidden, out: width)
      return { table, pass in outer(activate(inner(recurrent(table, pass)), .relu)) }
    }
  }
}
