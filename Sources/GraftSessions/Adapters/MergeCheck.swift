import GraftBatching
import GraftLayers
import GraftTensors

/// The comparison of a merged model with the adapted one, on a fixed run of tokens.
struct MergeCheck {
  private let name: String
  private let adapted: [Float]

  /// - Parameters:
  ///   - session: the adapted model.
  ///   - name: what is merged, for errors.
  init(_ session: ModelSession, name: String) throws {
    self.name = name
    adapted = try Self.probe(session)
  }

  /// The largest difference between float32 sums in different orders.
  static let rounding: Float = 1e-3

  /// The largest difference of a log-probability.
  /// - Throws: `SessionError` where it is beyond the limit, or values are not finite.
  func difference(of merged: ModelSession, limit: Float) throws -> Float {
    let values = try Self.probe(merged)
    try merged.requireFinite(values)
    let difference = zip(adapted, values).map { abs($0 - $1) }.max() ?? 0
    guard difference < limit else {
      throw SessionError(.data, "\(name): merged and adapted model differ by \(difference) in a log-probability; keep the adapter separate")
    }
    return difference
  }

  /// Refuses weights that a type would write as infinities.
  /// - Throws: `SessionError` that names the first of them with its value.
  static func requireRange(of dtype: ElementFormat?, in catalog: SiteCatalog) throws {
    guard let dtype, dtype != .float32 else { return }
    for parameter in catalog.parameters {
      guard let index = parameter.dense().converted(to: dtype).converted(to: .float32).firstNonFiniteIndex else { continue }
      let value = parameter.dense().values[index]
      let remedy = dtype == .float16 ? "write it with --dtype bfloat16 or float32" : "write it with --dtype float32"
      throw SessionError(.data, "\(parameter.path): \(value) is beyond the range of \(dtype); \(remedy)")
    }
  }

  /// The results of a model on a fixed run of tokens.
  static func probe(_ session: ModelSession) throws -> [Float] {
    try probe(session, (0..<16).map { Int32(($0 * 37 + 11) % session.model.vocabularySize) })
  }

  /// The results of a model on a run of tokens.
  static func probe(_ session: ModelSession, _ tokens: [Int32]) throws -> [Float] {
    let input = SequenceInput([tokens])
    switch session.model {
    case let model as any SequenceToSequenceModel:
      let hidden = model.decode(input, over: model.encode(input, .inference), .inference)
      return model.head.predictions(hidden, targets: tokens).map(\.logProbability)
    case let model as any MaskedLanguageModel:
      return model.head.predictions(model.transformed(model.hiddenStates(input, .inference), .inference), targets: tokens).map(\.logProbability)
    case let model as any LanguageModel:
      return model.head.predictions(model.hiddenStates(input, .inference), targets: tokens).map(\.logProbability)
    case let model as any SequenceClassifier: return model.logits(input, .inference).values
    case let model as any TokenClassifier: return model.logits(input, .inference).values
    default: return session.model.hiddenStates(input, .inference).values
    }
  }
}
