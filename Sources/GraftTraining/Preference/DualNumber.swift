import Foundation

/// A number with its derivatives by the log-probabilities of the two answers that are compared, the first and the second.
///
/// Losses of preferences are written in these numbers as their papers have them, and their gradients come along (forward-mode
/// differentiation with dual numbers).
public struct DualNumber: Sendable, Equatable {
  /// The number itself.
  public var value: Double
  /// The derivatives by the log-probabilities of the first and the second answer.
  public var slopes: SIMD2<Double>

  /// - Parameter slopes: the derivatives by the log-probabilities of the first and the second answer.
  public init(_ value: Double, slopes: SIMD2<Double> = .zero) { (self.value, self.slopes) = (value, slopes) }

  /// Returns a function of the number, by its value and its derivative there.
  func mapped(to value: Double, derivative: Double) -> DualNumber { DualNumber(value, slopes: derivative * slopes) }
}

extension DualNumber: ExpressibleByFloatLiteral, ExpressibleByIntegerLiteral {
  public init(floatLiteral value: Double) { self.init(value) }
  public init(integerLiteral value: Int) { self.init(Double(value)) }

  /// The sum.
  public static func + (a: DualNumber, b: DualNumber) -> DualNumber { DualNumber(a.value + b.value, slopes: a.slopes + b.slopes) }
  /// The difference.
  public static func - (a: DualNumber, b: DualNumber) -> DualNumber { DualNumber(a.value - b.value, slopes: a.slopes - b.slopes) }
  /// The difference from a constant.
  public static func - (a: DualNumber, b: Double) -> DualNumber { DualNumber(a.value - b, slopes: a.slopes) }
  /// The difference of a constant and the number.
  public static func - (a: Double, b: DualNumber) -> DualNumber { DualNumber(a - b.value, slopes: -b.slopes) }
  /// The product with a constant.
  public static func * (a: Double, b: DualNumber) -> DualNumber { DualNumber(a * b.value, slopes: a * b.slopes) }
  /// The quotient by a constant.
  public static func / (a: DualNumber, b: Double) -> DualNumber { DualNumber(a.value / b, slopes: a.slopes / b) }
  /// The negative.
  public static prefix func - (a: DualNumber) -> DualNumber { DualNumber(-a.value, slopes: -a.slopes) }

  /// The product of the number with itself.
  public var squared: DualNumber { mapped(to: value * value, derivative: 2 * value) }
  /// The number where it is positive, otherwise 0.
  public var positivePart: DualNumber { value > 0 ? self : 0 }
}

/// `σ(x) = 1 / (1 + exp(-x))`.
public func sigmoid(_ x: DualNumber) -> DualNumber {
  let (up, down) = (exp(logSigmoid(x.value)), exp(logSigmoid(-x.value)))
  return x.mapped(to: up, derivative: up * down)
}

/// `log σ(x)`.
public func logSigmoid(_ x: DualNumber) -> DualNumber { x.mapped(to: logSigmoid(x.value), derivative: exp(logSigmoid(-x.value))) }

/// `log (1 - exp(x))` for `x` below 0, from whichever of its two forms keeps its digits (Mächler 2012).
public func logOneMinusExp(_ x: DualNumber) -> DualNumber {
  let value = x.value > -log(2) ? log(-expm1(x.value)) : log1p(-exp(x.value))
  return x.mapped(to: value, derivative: 1 / (1 - exp(-x.value)))
}

/// `log σ(x)` without overflow on either side.
private func logSigmoid(_ x: Double) -> Double { min(x, 0) - log1p(exp(-abs(x))) }
