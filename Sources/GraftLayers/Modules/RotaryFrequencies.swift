import Foundation
import GraftTensors

/// The angles per position of rotary embeddings, with the ways in which long contexts stretch them.
public struct RotaryFrequencies: Sendable, Hashable {
  public enum Scaling: Sendable, Hashable {
    case none
    /// Positions divided by a factor (Chen et al. 2023).
    case linear(factor: Float)
    /// The base grows with the length once that exceeds the training length.
    case dynamic(factor: Float, originalLength: Int)
    /// Llama 3.1's blend between stretched and untouched by wavelength.
    case llama3(factor: Float, lowFactor: Float, highFactor: Float, originalLength: Int)
    /// YaRN's ramp (Peng et al. 2023, section 3.2); `attentionFactor` is multiplied into cosine and sine.
    case yarn(factor: Float, betaFast: Float, betaSlow: Float, originalLength: Int, attentionFactor: Float, truncates: Bool)
  }

  /// How many components of a head are rotated; even.
  public var rotatedSize: Int
  public var base: Float
  public var scaling: Scaling
  public var isInterleaved: Bool

  public init(rotatedSize: Int, base: Float, scaling: Scaling = .none, isInterleaved: Bool = false) {
    (self.rotatedSize, self.base, self.scaling, self.isInterleaved) = (rotatedSize, base, scaling, isInterleaved)
  }

  /// Radians per position of each pair, for sequences of up to `length` tokens.
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
        if wavelength < Float(original) / high { return frequency }
        if wavelength > Float(original) / low { return frequency / factor }
        let blend = (Float(original) / wavelength - low) / (high - low)
        return (1 - blend) * frequency / factor + blend * frequency
      }
    case .yarn(let factor, let fast, let slow, let original, _, let truncates):
      func dimension(_ rotations: Float) -> Float {
        Float(rotatedSize) * log(Float(original) / (rotations * 2 * .pi)) / (2 * log(base))
      }
      var first = dimension(fast), last = dimension(slow)
      if truncates { (first, last) = (first.rounded(.down), last.rounded(.up)) }
      first = max(first, 0)
      last = min(last, Float(rotatedSize - 1))
      if first == last { last += 0.001 }
      return plain(base).enumerated().map { pair, frequency in
        let ramp = min(1, max(0, (Float(pair) - first) / (last - first)))
        return frequency / factor * ramp + frequency * (1 - ramp)
      }
    }
  }

  /// The table for a batch's positions.
  public func table(positions: [Int32]) -> RotaryTable {
    var magnitude: Float = 1
    if case .yarn(_, _, _, _, let factor, _) = scaling { magnitude = factor }
    let length = Int(positions.max() ?? 0) + 1
    return RotaryTable(
      positions: positions, inverseFrequencies: inverseFrequencies(length: length), magnitude: magnitude, isInterleaved: isInterleaved)
  }
}
