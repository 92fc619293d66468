/// A way to make one vector of the hidden states of a text's tokens.
public enum Pooling: String, Sendable, CaseIterable {
  /// Their mean.
  case mean
  /// That of the first token.
  case cls
  /// That of the last token.
  case last
  /// The largest value of each column.
  case max
  /// Their sum over the root of their number.
  case meanOverRoot = "mean_sqrt_len_tokens"
  /// Their mean, each weighed by its place in the text, counted from 1 (Muennighoff 2022).
  case weightedMean = "weightedmean"

  /// The name that sentence-transformers gives a mode.
  init?(sentenceTransformersName name: String) {
    if name == "lasttoken" { self = .last } else if name != "last", let mode = Pooling(rawValue: name) { self = mode } else { return nil }
  }

  /// One vector of a text.
  ///
  /// - Parameters:
  ///   - values: rows of `width` columns.
  ///   - rows: those of the text, at least one.
  ///   - skipped: how many of them, at the beginning, are left out.
  func callAsFunction(_ values: [Float], width: Int, rows: Range<Int>, skipping skipped: Int = 0) -> [Float] {
    let counted = rows.dropFirst(skipped)
    func row(_ index: Int) -> [Float] { Array(values[index * width..<(index + 1) * width]) }
    func sum(over divisor: Double, weights: (Int) -> Double = { _ in 1 }) -> [Float] {
      var sums = [Double](repeating: 0, count: width)
      for index in counted {
        for column in 0..<width { sums[column] += weights(index) * Double(values[index * width + column]) }
      }
      return sums.map { Float($0 / divisor) }
    }
    func place(_ index: Int) -> Double { Double(index - rows.lowerBound + 1) }
    switch self {
    case .cls: return row(counted.first ?? rows.lowerBound)
    case .last: return counted.last.map(row) ?? sum(over: 1)
    case .mean: return sum(over: Double(Swift.max(1, counted.count)))
    case .meanOverRoot: return sum(over: Double(Swift.max(1, counted.count)).squareRoot())
    case .weightedMean: return sum(over: Swift.max(1, counted.reduce(0) { $0 + place($1) }), weights: place)
    case .max:
      return counted.dropFirst().reduce(counted.first.map(row) ?? sum(over: 1)) { best, index in zip(best, row(index)).map(Swift.max) }
    }
  }
}
