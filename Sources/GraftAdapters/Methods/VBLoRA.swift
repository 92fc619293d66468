import GraftCheckpoints
import GraftConfiguration
import GraftJSON
import GraftLayers
import GraftTensors

/// Low-rank adaptation whose factors are put together from one bank of vectors: `y = W x + b + B A x`, where each stretch of a row of
/// `A` or of a column of `B` is a mixture of the `topk` vectors with the largest logits.
///
/// Li et al. 2024, "VB-LoRA", eq. 3 to 5. All targets share the bank; a layer has only its logits.
public struct VBLoRA: LayerTargetedMethod {
  public static let name = "VBLORA"
  public static let defaultLearningRate = 1e-3
  public static let card = MethodCard(
    title: "VB-LoRA", formula: "`W x + b + B A x`, stretches of `A` and `B` mixed from a shared bank",
    parameters: "`v l` for `v` vectors of length `l`, and `r v (in + out) / l` logits a target", seam: "linear layers", source: "Li et al. 2024")

  package var r = 4
  /// Vectors of the bank.
  package var numVectors = 256
  /// Their length, which divides the inputs and outputs of every target.
  package var vectorLength = 256
  /// Vectors of which a stretch is mixed.
  package var topk = 2
  public var targetKeys = TargetKeys()
  /// True to store the choices and their weights in place of logits: such a file is smaller, and nothing to train on from.
  package var saveOnlyTopkWeights = false
  package var vbloraDropout = 0.0
  package var bias = BiasTraining.none
  /// The bank starts uniform within this distance of zero.
  package var initVectorBankBound = 0.02
  package var initLogitsStd = 0.1

  public init() {}

  /// The modules that PEFT takes where none are named and LoRA's are others.
  private static let defaultTargets = [
    "t5": ["q", "k", "v", "o", "wi", "wo"], "mt5": ["q", "k", "v", "o", "wi_0", "wi_1", "wo"],
    "bart": ["q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"],
  ]

  public func attach(to sites: SiteCatalog, in attachment: Attachment) throws {
    try validate()
    var targets = targets
    targets.modules = targets.modules ?? sites.modelType.flatMap { Self.defaultTargets[$0] }.map { .names($0) }
    let layers = try targets.linears(in: sites, for: attachment)
    let bank = try (attachment.root / "base_model").parameter(
      "vblora_vector_bank", [numVectors, vectorLength], .uniform(bound: Float(initVectorBankBound)))
    var mixtures: [BankMixture] = []
    for layer in layers {
      for (side, size) in [("in_features", layer.inputSize), ("out_features", layer.outputSize)] where size % vectorLength != 0 {
        throw TuningError("vector_length: is \(vectorLength), which does not divide \(side) \(size) of \(layer.path)")
      }
      let scope = attachment.scope / layer.path
      let a = try mixture("vblora_logits_A", [r, layer.inputSize / vectorLength], scope, attachment)
      let b = try mixture("vblora_logits_B", [layer.outputSize / vectorLength, r], scope, attachment)
      mixtures += [a, b]
      try attachment.fill(layer, with: VectorBankAdapter(bank: bank, a: a, b: b, rank: r, dropout: Float(vbloraDropout)))
    }
    if saveOnlyTopkWeights { attachment.schedule = ChoiceStorage(mixtures, count: topk, vectors: numVectors) }
    try attachment.adoptBiases(bias, of: sites, targets: layers, saved: modulesToSave ?? [])
    try attachment.adoptModules(modulesToSave ?? [], of: sites)
  }

  private func validate() throws(TuningError) {
    for (key, value) in [("r", r), ("num_vectors", numVectors), ("vector_length", vectorLength), ("topk", topk)] where value < 1 {
      throw TuningError("\(key): is \(value); it must be at least 1")
    }
    guard topk <= numVectors else { throw TuningError("topk: is \(topk); the bank has \(numVectors) vectors (num_vectors)") }
    guard (0..<1).contains(vbloraDropout) else { throw TuningError("vblora_dropout: is \(vbloraDropout); it must be at least 0 and below 1") }
    guard initVectorBankBound > 0 else { throw TuningError("init_vector_bank_bound: is \(initVectorBankBound); it must be above 0") }
    guard initLogitsStd >= 0 else { throw TuningError("init_logits_std: is \(initLogitsStd); it must not be negative") }
  }

  /// The mixtures of one factor, by `tiles`: its logits or, of a file that has nothing else, what they had chosen.
  private func mixture(_ name: String, _ tiles: [Int], _ scope: Scope, _ attachment: Attachment) throws -> BankMixture {
    let key = (scope / name).path
    let (chosen, weighed) = BankMixture.names(of: key)
    let rows = tiles[0] * tiles[1]
    guard saveOnlyTopkWeights, let indices = try attachment.taken(chosen, shape: Shape(tiles + [topk])) else {
      return .logits(try scope.parameter(name, Shape(tiles + [numVectors]), .normal(standardDeviation: Float(initLogitsStd))), count: topk)
    }
    guard let stored = try attachment.taken(weighed, shape: Shape(tiles + [topk - 1])) else {
      throw WeightError("\(weighed): is missing beside \(chosen)")
    }
    attachment.store(chosen) { indices }
    attachment.store(weighed) { stored }
    let choices = indices.converted(to: .float32).values.map { Int($0) }
    guard choices.allSatisfy({ (0..<numVectors).contains($0) }) else { throw WeightError("\(chosen): names none of \(numVectors) vectors") }
    let given = stored.converted(to: .float32).values
    var shares = [Float](repeating: 0, count: rows * numVectors)
    for row in 0..<rows {
      // They add up to 1, so that the last of them is left out.
      let weights = given[row * (topk - 1)..<(row + 1) * (topk - 1)]
      for (place, weight) in (weights + [1 - weights.reduce(0, +)]).enumerated() {
        shares[row * numVectors + choices[row * topk + place]] = weight
      }
    }
    return .chosen(Tensor(shares, [rows, numVectors]))
  }
}

/// The mixtures of one factor's stretches.
private enum BankMixture {
  /// `[tiles, tiles, vectors]`: each row chooses its `count` largest.
  case logits(Parameter, count: Int)
  /// `[rows, vectors]`: the weights of what was chosen, zero elsewhere.
  case chosen(Tensor)

  /// The keys of what is stored in place of logits.
  static func names(of key: String) -> (indices: String, weights: String) { (key + "_topk_indices", key + "_topk_weights") }

  /// The stretches, one a row `[rows, length]`.
  func stretches(of bank: Parameter) -> Tensor {
    switch self {
    case .logits(let logits, let count):
      mixRows(logits.operand.reshaped(to: [logits.shape[0] * logits.shape[1], logits.shape[2]]), bank.operand, count: count)
    case .chosen(let shares): matrixProduct(shares, bank.operand)
    }
  }
}

/// A low-rank change whose factors are mixtures of a bank's vectors.
private final class VectorBankAdapter: AdditiveAdapter {
  let bank: Parameter
  let a: BankMixture, b: BankMixture
  let rank: Int
  let dropout: Float

  init(bank: Parameter, a: BankMixture, b: BankMixture, rank: Int, dropout: Float) {
    (self.bank, self.a, self.b, self.rank, self.dropout) = (bank, a, b, rank, dropout)
  }

  func change(_ x: Tensor, addingTo base: consuming Tensor, _ pass: Pass) -> Tensor {
    let inner = a.stretches(of: bank).reshaped(to: [rank, x.shape.columns])
    let narrow = linear(pass.dropout(x, dropout, at: path), inner)
    // The stretches of `B` stand tile by tile; its columns are one after another.
    let stretches = b.stretches(of: bank)
    let tiles = stretches.shape.rows / rank
    let byColumn = gatherRows(stretches, Tensor((0..<rank * tiles).map { Int32($0 % tiles * rank + $0 / tiles) }))
    return base + matrixProduct(narrow, byColumn.reshaped(to: [rank, tiles * stretches.shape.columns]))
  }

  private var path: String { if case .logits(let logits, _) = a { logits.path } else { bank.path } }
}

/// Stores what logits choose in place of them, once training has ended.
private final class ChoiceStorage: TrainingSchedule {
  private let mixtures: [BankMixture]
  private let count: Int, vectors: Int

  init(_ mixtures: [BankMixture], count: Int, vectors: Int) { (self.mixtures, self.count, self.vectors) = (mixtures, count, vectors) }

  func prepare(stepCount: Int) throws {
    if case .chosen = mixtures.first {
      throw TuningError("save_only_topk_weights: was set for this adapter, whose file has no logits to train on; start afresh, or from a checkpoint")
    }
  }

  func finish(_ stored: inout StoredAdapter) {
    for case .logits(let logits, _) in mixtures {
      guard let index = stored.tensors.firstIndex(where: { $0.name == logits.path }) else { continue }
      let (rows, tiles) = (logits.shape[0] * logits.shape[1], [logits.shape[0], logits.shape[1]])
      let choice = RowChoice(logits.value.reshaped(to: [rows, vectors]), count: count)
      let weights = choice.weights.indices.filter { $0 % count < count - 1 }.map { choice.weights[$0] }
      let names = BankMixture.names(of: logits.path)
      // Indices are as wide as they need be, as PEFT has them.
      let format: ElementFormat = vectors < 1 << 8 ? .uint8 : vectors < 1 << 15 ? .int16 : .int32
      stored.tensors[index] = StoredTensor(
        name: names.indices, tensor: Tensor(choice.indices).reshaped(to: Shape(tiles + [count])).converted(to: format))
      stored.tensors.append(StoredTensor(name: names.weights, tensor: Tensor(weights, Shape(tiles + [count - 1]))))
    }
  }
}
