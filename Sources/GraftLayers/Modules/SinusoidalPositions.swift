import Foundation
import GraftTensors

/// Sines of even components and cosines of odd ones, at wavelengths from 2π to 10000 · 2π (Vaswani et al. 2017, section 3.5).
/// - Returns: `[positions.count, width]`.
public func sinusoidalPositions(_ positions: [Int32], width: Int) -> Tensor {
  let frequencies = (0..<width).map { pow(10_000, -Double($0 / 2 * 2) / Double(width)) }
  let values = positions.flatMap { position in
    frequencies.enumerated().map { component, frequency in
      let angle = Double(position) * frequency
      return Float(component % 2 == 0 ? sin(angle) : cos(angle))
    }
  }
  return Tensor(values, [positions.count, width])
}
