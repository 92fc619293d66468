import Foundation
import GraftTensors

/// The angles per position of rotary embeddings, with the ways in which long contexts stretch them.
public struct RotaryFrequencies: Sendable, Hashable {
  /// The treatment of positions beyond those of pretraining.
  public enum Scaling: Sendable, Hashable {
    /// None: the angles of pretraining go on.
    case none
    /// Positions divided by a factor (Chen et al. 2023).
    case linear(factor: Float)
    /// The base grows with the length once that exceeds the training length.
    case dynamic(factor: Float, originalLength: Int)
    /// Llama 3.1's blend between stretched and untouched by wavelength.
    case llama3(factor: Float, lowFactor: Float, highFactor: Float, originalLength: Int)
    /// YaRN's ramp (Peng et al. 2023, section 3.2); `attentionFactor` is multiplied into cosine and sine.
    case yarn(factor: Float, betaFast: Float, betaSlow: Float, originalLength: Int, attentionFactor: Float, truncates: Bool)
    /// LongRoPE's factor of each pair, one list up to the training length and one beyond (Ding et al. 2024, section 3.2);
    /// `attentionFactor` is multiplied into cosine and sine.
    case longRope(short: [Float], long: [Float], originalLength: Int, attentionFactor: Float)
    /// The first pairs turn, at the frequencies that they have in the whole head; the others do not.
    case proportional(factor: Float, pairs: Int)
  }

  /// The number of a head's components that are rotated; even.
  public var rotatedSize: Int
  /// The base of the frequencies, `base^(-2i / rotatedSize)` for pair `i` (Su et al. 2021, section 3.2.2).
  public var base: Float
  /// The treatment of positions beyond those of pretraining.
  public var scaling: Scaling
  /// True where neighbours are a pair (GLM), false where the two halves of what is rotated are.
  public var isInterleaved: Bool

  /// - Parameter rotatedSize: the number of a head's components that are rotated; even.
  public init(rotatedSize: Int, base: Float, scaling: Scaling = .none, isInterleaved: Bool = false) {
    self.rotatedSize = rotatedSize
    self.base = base
    self.scaling = scaling
    self.isInterleaved = isInterleaved
  }

  /// Radians per position of each pair, in a sequence of `length` tokens.
  public func inverseFrequencies(length: Int) -> [Float] {
    let pairs = rotatedSize / 2
    func plain(_ base: Float) -> [Float] { (0..<pairs).map { 1 / pow(base, Float(2 * $0) / Float(rotatedSize)) } }
    switch scaling {
    case .none: return plain(base)
    case .linear(let factor): return plain(base).map { $0 / factor }
    case .dynamic(let factor, let original):
      let reached = Float(max(length, original))
      let grown = base * pow(factor * reached / Float(original) - (factor - 1), Float(rotatedSize) / Float(rotatedSize - 2))
      return plain(grown)
    case .llama3(let factor, let low, let high, let original):
      return plain(base).map { frequency in
        let wavelength = 2 * Float.pi / frequency
        if wavelength > Float(original) / low { return frequency / factor }
        if wavelength < Float(original) / high { return frequency }
        let blend = (Float(original) / wavelength - low) / (high - low)
        return (1 - blend) * frequency / factor + blend * frequency
      }
    case .yarn(let factor, let fast, let slow, let original, _, let truncates):
      let (first, last) = yarnRange(fast: fast, slow: slow, original: original, truncates: truncates)
      return plain(base).enumerated().map { pair, frequency in
        let ramp = min(1, max(0, (Float(pair) - first) / (last - first)))
        return frequency / factor * ramp + frequency * (1 - ramp)
      }
    case .longRope(let short, let long, let original, _):
      return zip(plain(base), length > original ? long : short).map { $0 / $1 }
    case .proportional(let factor, let turning):
      return plain(base).enumerated().map { $0 < turning ? $1 / factor : 0 }
    }
  }

  /// The pairs between which YaRN goes from untouched to stretched.
  private func yarnRange(fast: Float, slow: Float, original: Int, truncates: Bool) -> (first: Float, last: Float) {
    // In double precision, as the reference does: what is rounded down and up here may be a whole number.
    func dimension(_ rotations: Float) -> Double {
      Double(rotatedSize) * log(Double(original) / (Double(rotations) * 2 * .pi)) / (2 * log(Double(base)))
    }
    var first = dimension(fast)
    var last = dimension(slow)
    if truncates { (first, last) = (first.rounded(.down), last.rounded(.up)) }
    (first, last) = (max(first, 0), min(last, Double(rotatedSize - 1)))
    return (Float(first), Float(first == last ? last + 0.001 : last))
  }

  /// The factor of cosine and sine.
  private var magnitude: Float {
    switch scaling {
    case .yarn(_, _, _, _, let factor, _), .longRope(_, _, _, let factor): factor
    case .none, .linear, .dynamic, .llama3, .proportional: 1
    }
  }

  /// A length whose frequencies are those of `length`: the same for all where frequencies do not depend on it.
  private func representative(of length: Int) -> Int {
    switch scaling {
    case .dynamic(_, let original): max(length, original)
    case .longRope(_, _, let original, _): length > original ? original + 1 : original
    case .none, .linear, .llama3, .yarn, .proportional: 1
    }
  }

  /// The table for the positions of sequences that know nothing of each other: each has the frequencies of its own length.
  ///
  /// - Parameters:
  ///   - positions: one a row.
  ///   - sequences: the rows of each.
  public func table(positions: [Int32], sequences: [Range<Int>]) -> RotaryTable {
    func table(_ positions: [Int32], length: Int) -> RotaryTable {
      RotaryTable(
        positions: positions, inverseFrequencies: inverseFrequencies(length: length), magnitude: magnitude, isInterleaved: isInterleaved)
    }
    let lengths = sequences.map { representative(of: Int(positions[$0].max() ?? 0) + 1) }
    guard Set(lengths).count > 1 else { return table(positions, length: lengths.first ?? 1) }
    // Rows outside every sequence may have any angles.
    var rowsOfLength: [Int: [Int]] = [:]
    var covered = Array(repeating: false, count: positions.count)
    for (rows, length) in zip(sequences, lengths) {
      rowsOfLength[length, default: []] += rows
      for row in rows { covered[row] = true }
    }
    rowsOfLength[lengths[0], default: []] += positions.indices.filter { !covered[$0] }
    let groups = rowsOfLength.sorted { $0.key < $1.key }
    return RotaryTable(joining: groups.map { length, rows in (rows, table(rows.map { positions[$0] }, length: length)) })
  }
}

extension RotaryFrequencies {
  /// The base and the scaling in words.
  package var words: String {
    func text(_ number: Float) -> String { number == number.rounded() && abs(number) < 1e9 ? "\(Int(number))" : "\(number)" }
    let name: String? =
      switch scaling {
      case .none: nil
      case .linear(let factor): "linear × \(text(factor))"
      case .dynamic(let factor, _): "dynamic × \(text(factor))"
      case .llama3(let factor, _, _, _): "llama3 × \(text(factor))"
      case .yarn(let factor, _, _, _, _, _): "yarn × \(text(factor))"
      case .longRope: "longrope"
      case .proportional(let factor, _): "proportional × \(text(factor))"
      }
    return (["base \(text(base))", "\(rotatedSize) columns" + (isInterleaved ? " in pairs" : "")] + [name].compactMap { $0 }).joined(separator: ", ")
  }
}
