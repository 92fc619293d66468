import Foundation

/// Student's t distribution, for intervals from few repetitions.
package enum StudentDistribution {
  /// The value that a t-distributed variable stays below with a probability.
  ///
  /// - Parameters:
  ///   - probability: between 0 and 1, exclusive.
  ///   - freedom: degrees of freedom, 1 or more.
  package static func quantile(_ probability: Double, freedom: Int) -> Double {
    precondition(probability > 0 && probability < 1 && freedom > 0)
    if probability < 0.5 { return -quantile(1 - probability, freedom: freedom) }
    var low = 0.0
    var high = 1.0
    while cumulative(high, freedom: freedom) < probability { high *= 2 }
    for _ in 0..<100 {
      let middle = (low + high) / 2
      if cumulative(middle, freedom: freedom) < probability { low = middle } else { high = middle }
    }
    return (low + high) / 2
  }

  /// The probability of a value of at most `t`, `t` not negative.
  package static func cumulative(_ t: Double, freedom: Int) -> Double {
    let n = Double(freedom)
    return 1 - 0.5 * incompleteBeta(n / (n + t * t), n / 2, 0.5)
  }

  /// The regularised incomplete beta function I_x(a, b), by the continued fraction of Abramowitz and Stegun 26.5.8,
  /// evaluated from the front (Lentz 1976).
  private static func incompleteBeta(_ x: Double, _ a: Double, _ b: Double) -> Double {
    if x <= 0 { return 0 }
    if x >= 1 { return 1 }
    // The fraction converges quickly below the mean.
    if x > (a + 1) / (a + b + 2) { return 1 - incompleteBeta(1 - x, b, a) }
    let front = exp(a * log(x) + b * log1p(-x) + logGamma(a + b) - logGamma(a) - logGamma(b)) / a
    func away(_ value: Double) -> Double { abs(value) < 1e-300 ? 1e-300 : value }
    var c = 1.0
    var d = 1 / away(1 - (a + b) * x / (a + 1))
    var fraction = d
    for step in 1...500 {
      let m = Double(step)
      for coefficient in [
        m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)), -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
      ] {
        d = 1 / away(1 + coefficient * d)
        c = away(1 + coefficient / c)
        fraction *= c * d
      }
      if abs(c * d - 1) < 1e-15 { break }
    }
    return front * fraction
  }

  private static func logGamma(_ x: Double) -> Double { lgamma(x) }
}
