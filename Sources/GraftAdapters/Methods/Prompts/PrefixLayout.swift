import GraftBatching
import GraftLayers
import GraftTensors

/// The attentions that take a prefix, and the columns of the table that are each one's.
struct PrefixLayout {
  /// The attentions to itself of the only stack or of the decoder, one a layer.
  let attentions: [Attention]
  /// The width of a layer's keys, and of its values.
  let width: Int
  /// The layers that the table has columns for.
  let storedLayers: Int
  private let hasTwoHalves: Bool

  /// - Throws: `TuningError` where the configuration or the model has no such layout.
  init(_ method: some PromptMethod, in sites: SiteCatalog) throws(TuningError) {
    let all = sites.sites.compactMap(\.attention)
    let (model, name) = (sites.modelType ?? "this model", type(of: method).name)
    let attentions = all.filter { $0.place == .alone || $0.place == .decoder }
    guard !attentions.isEmpty else {
      let other = sites.sites.contains { $0.recurrence != nil } ? "STATE_TUNING, which trains the states before the first token" : "PROMPT_TUNING"
      throw TuningError("\(name): \(model) has no attention, so no keys and values that a prefix could stand before; take \(other)")
    }
    guard let width = attentions.first?.options.keyWidth, attentions.allSatisfy({ $0.options.keyWidth == width && $0.options.valueWidth == width })
    else {
      throw TuningError("\(name): \(model) has no keys and values of one width in every layer")
    }
    if let asked = method.tokenDim, asked != width {
      throw TuningError("token_dim: is \(asked); the keys of \(model) are \(width) wide; leave it out")
    }
    hasTwoHalves = sites.hasTwoHalves
    if let asked = method.numTransformerSubmodules, asked != (hasTwoHalves ? 2 : 1) {
      throw TuningError("num_transformer_submodules: is \(asked); \(model) has \(hasTwoHalves ? 2 : 1); leave it out")
    }
    // PEFT counts the layers of the encoder.
    let usual = max(attentions.count, all.count { $0.place == .encoder })
    let stored = method.numLayers ?? usual
    guard stored == attentions.count || hasTwoHalves && stored > attentions.count else {
      throw TuningError("num_layers: is \(stored); \(model) has \(attentions.count) layers that take a prefix; leave it out")
    }
    (self.attentions, self.width, storedLayers) = (attentions, width, stored)
  }

  var columns: Int { storedLayers * 2 * width }

  /// The layer of the table that a layer of the model takes.
  ///
  /// For an encoder-decoder PEFT writes the table twice side by side and cuts that into four for every layer: keys and
  /// values for the decoder's attention to itself, and the same for its attention to the source, which it then forgets.
  /// So every other layer of the table is taken, by two layers where their number is even. With one more than an even number
  /// (`num_layers`) each layer has its own.
  func storedLayer(of layer: Int) -> Int { hasTwoHalves ? 2 * layer % storedLayers : layer }

  /// Says in a configuration what other programs would guess of the model.
  func complete(_ method: inout some PromptMethod, in sites: SiteCatalog) {
    method.numTransformerSubmodules = sites.hasTwoHalves ? 2 : 1
    method.tokenDim = width
    method.numAttentionHeads = attentions[0].options.keyValueHeads
    method.numLayers = storedLayers
  }

  /// Puts a table's columns before each layer's keys and values.
  /// - Parameter part: some columns of the table.
  /// - Throws: `TuningError` where there is a prefix.
  func fill(with part: @escaping (Range<Int>) -> Tensor, count: Int, _ attachment: Attachment) throws(TuningError) {
    for (index, attention) in attentions.enumerated() {
      let start = 2 * storedLayer(of: index) * width
      let prefix = Prefix(count: count, keys: { part(start..<start + width) }, values: { part(start + width..<start + 2 * width) })
      try attachment.fill(attention, with: prefix)
    }
  }

  /// The keys and values that the model keeps of a text, cut off or repeated.
  func keysAndValues(of text: String, _ shape: PromptShape, _ attachment: Attachment) throws -> Tensor {
    let tokens = try shape.tokens(of: text, key: "init_text", attachment.services)
    guard let run = attachment.services.run else { throw TuningError("init_text: needs a model that can be run") }
    let state = SequenceState(sequences: 1, keepsAllRows: true)
    run(SequenceInput([tokens]), Pass(state: state))
    let rows = attentions.compactMap { (state.layer($0.path) as? KeyValueState)?.held(of: 0) }
    guard rows.count == attentions.count else { throw TuningError("init_text: the model keeps no keys and values to start from") }
    return concatenateRows(rows.flatMap { [$0.keys.transposed, $0.values.transposed] }).transposed
  }
}

/// One layer's keys and values.
private final class Prefix: AttentionPrefix {
  let virtualTokenCount: Int
  private let keys: () -> Tensor, values: () -> Tensor

  init(count: Int, keys: @escaping () -> Tensor, values: @escaping () -> Tensor) {
    (virtualTokenCount, self.keys, self.values) = (count, keys, values)
  }

  func keysAndValues(_ pass: Pass) -> (keys: Tensor, values: Tensor) { (keys(), values()) }
}
