import GraftGeneration
import GraftJSON
import GraftModels

/// Values of a file about generation, each within bounds.
extension ArchitectureConfiguration {
  /// The whole number under a key that need not be there.
  func whole(_ key: String, from least: Int = 0, through most: Int = Int(Int32.max)) throws(ArchitectureError) -> Int? {
    guard let value = try optionalInt(key) else { return nil }
    guard (least...most).contains(value) else { throw fail(key, "is \(value); it must be from \(least) to \(most)") }
    return value
  }

  /// The number under a key that need not be there.
  func number(_ key: String, _ range: ClosedRange<Float>? = nil) throws(ArchitectureError) -> Float? {
    guard contains(key) else { return nil }
    let value = try float(key, default: 0)
    guard value.isFinite, range?.contains(value) ?? true else {
      throw fail(key, "is \(value); it must be " + (range.map { "from \($0.lowerBound) to \($0.upperBound)" } ?? "a finite number"))
    }
    return value
  }

  /// The text or the texts under a key.
  func texts(_ key: String) throws(ArchitectureError) -> [String] {
    guard let value = json[key], !value.isNull else { return [] }
    let texts = (value.array ?? [value]).map(\.string)
    guard texts.allSatisfy({ $0?.isEmpty == false }) else { throw fail(key, "must be a text that is not empty, or a list of such") }
    return texts.compactMap { $0 }
  }

  /// The token ids under a key, all of the vocabulary.
  func vocabularyIDs(_ key: String, _ vocabularySize: Int) throws(ArchitectureError) -> [Int32] {
    let ids = try tokenIDs(key)
    try requireTokens(ids, key, vocabularySize)
    return ids
  }

  /// A list of lists of token ids.
  func tokenSequences(_ key: String, _ vocabularySize: Int) throws(ArchitectureError) -> [[Int32]] {
    guard let value = json[key], !value.isNull else { return [] }
    guard let list = value.array, list.allSatisfy({ $0.array?.isEmpty == false }) else { throw fail(key, "must be a list of lists of token ids") }
    var sequences: [[Int32]] = []
    for entry in list { sequences.append(try sequence(entry, key, vocabularySize)) }
    return sequences
  }

  /// A list of pairs of token ids and what is added to the score of the last of them.
  func sequenceBiases(_ key: String, _ vocabularySize: Int) throws(ArchitectureError) -> [ScoreConstraints.SequenceBias] {
    guard let value = json[key], !value.isNull else { return [] }
    var biases: [[Int32]: Float] = [:]
    var order: [[Int32]] = []
    for pair in value.array ?? [.null] {
      guard let ids = pair[0], ids.array?.isEmpty == false, let bias = pair[1]?.double, !bias.isNaN, pair.array?.count == 2 else {
        throw fail(key, "must be a list of [[token ids], bias]")
      }
      let tokens = try sequence(ids, key, vocabularySize)
      // The last of several biases of one sequence holds.
      if biases.updateValue(Float(bias), forKey: tokens) == nil { order.append(tokens) }
    }
    return order.map { ScoreConstraints.SequenceBias($0, bias: biases[$0] ?? 0) }
  }

  /// The position at which the end starts to be favored, and by how much.
  func lengthDecay(_ key: String) throws(ArchitectureError) -> ScoreConstraints.LengthDecay? {
    guard let value = json[key], !value.isNull else { return nil }
    guard value.array?.count == 2, let start = value[0]?.int, (0...Int(Int32.max)).contains(start), let factor = value[1]?.double, factor.isFinite
    else {
      throw fail(key, "must be [number of tokens, factor]")
    }
    return ScoreConstraints.LengthDecay(start: start, factor: factor)
  }

  private func sequence(_ value: JSON, _ key: String, _ vocabularySize: Int) throws(ArchitectureError) -> [Int32] {
    let ids = try ArchitectureConfiguration([key: value] as JSON, source: source).tokenIDs(key)
    try requireTokens(ids, key, vocabularySize)
    return ids
  }

  private func requireTokens(_ ids: [Int32], _ key: String, _ vocabularySize: Int) throws(ArchitectureError) {
    guard let odd = ids.first(where: { $0 < 0 || Int($0) >= vocabularySize }) else { return }
    throw fail(key, "\(odd) is outside the model's vocabulary of \(vocabularySize); correct it")
  }
}
