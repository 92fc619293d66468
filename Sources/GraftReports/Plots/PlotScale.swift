import Foundation

/// The map from values to positions along one axis of a plot.
package struct PlotScale: Sendable {
  package let lower: Double
  package let upper: Double
  let isLogarithmic: Bool
  package let ticks: [Double]
  let unit: PlotUnit

  /// A scale that holds `values`.
  ///
  /// - Parameters:
  ///   - unit: the unit of the values, which the labels of ticks tell.
  ///   - reachesTicks: true where the axis ends on round numbers instead of on the outermost values.
  ///   - isLogarithmic: true where equal distances are equal factors; only where all values are above 0.
  package init(
    holding values: [Double], includesZero: Bool = false, reachesTicks: Bool, isLogarithmic: Bool = false,
    unit: PlotUnit = .none, tickCount: Int = 5
  ) {
    self.unit = unit
    let finite = values.filter(\.isFinite) + (includesZero ? [0] : [])
    var low = finite.min() ?? 0
    var high = finite.max() ?? 1
    self.isLogarithmic = isLogarithmic && low > 0
    if self.isLogarithmic {
      ticks = Self.factorTicks(from: low, to: high)
      (lower, upper) = (ticks[0], ticks[ticks.count - 1])
      return
    }
    if low == high {
      let margin = low == 0 ? 1 : abs(low) * 0.1
      (low, high) = (low - margin, high + margin)
    }
    let step = Self.roundStep(for: (high - low) / Double(tickCount))
    let first = reachesTicks ? floor(low / step) : ceil(low / step)
    let last = reachesTicks ? ceil(high / step) : floor(high / step)
    ticks = first <= last ? stride(from: first, through: last, by: 1).map { $0 * step } : []
    (lower, upper) = reachesTicks ? (first * step, last * step) : (low, high)
  }

  /// A scale between two values with ticks of one's own.
  init(from lower: Double, to upper: Double, ticks: [Double]) {
    (self.lower, self.upper, self.ticks) = (lower, upper, ticks)
    (isLogarithmic, unit) = (false, .none)
  }

  /// Powers of ten around two values, or 1, 2 and 5 times them where the values are near each other.
  private static func factorTicks(from low: Double, to high: Double) -> [Double] {
    let first = Int(floor(log10(low) + 1e-9))
    let last = max(Int(ceil(log10(high) - 1e-9)), first + 1)
    let decades = (first...last).map { pow(10, Double($0)) }
    guard high / low < 100 else { return decades }
    let all = decades.flatMap { power in [1, 2, 5].map { $0 * power } }
    let start = all.lastIndex { $0 <= low * (1 + 1e-9) } ?? 0
    let end = all.firstIndex { $0 >= high * (1 - 1e-9) } ?? all.count - 1
    return Array(all[start...max(end, start + 1)])
  }

  /// 0 at the lower end, 1 at the upper.
  package func position(of value: Double) -> Double {
    isLogarithmic ? log(value / lower) / log(upper / lower) : (value - lower) / (upper - lower)
  }

  /// The labels of the ticks, all with as many digits as their distance asks for.
  package var tickLabels: [String] {
    switch unit {
    case .none: break
    case .percent:
      let digits = ticks.count > 1 ? max(0, Int(ceil(-log10(100 * (ticks[1] - ticks[0])) - 1e-9))) : 0
      return ticks.map { Figure.percent($0, digits: digits) }
    case .bytes: return ticks.map { $0 == 0 ? "0" : Figure.bytes(Int($0.rounded())) }
    }
    guard !isLogarithmic, ticks.count > 1 else { return ticks.map { Figure.compact($0) } }
    let step = ticks[1] - ticks[0]
    let largest = ticks.map { abs($0) }.max() ?? 0
    if largest >= 10_000 || largest < 0.01 { return ticks.map { Figure.compact($0) } }
    let digits = max(0, Int(ceil(-log10(step) - 1e-9)))
    return ticks.map { Figure.fixed($0, digits: digits) }
  }

  /// The next larger of 1, 2, 2.5 and 5 times a power of ten.
  private static func roundStep(for step: Double) -> Double {
    let power = pow(10, floor(log10(step)))
    return ([1, 2, 2.5, 5].first { $0 * power >= step * (1 - 1e-9) } ?? 10) * power
  }
}

/// The unit of the values of a plot.
package enum PlotUnit: Sendable {
  /// Numbers, or a unit that the title names.
  case none
  /// Shares from 0 to 1, told in per cent.
  case percent
  /// Bytes, told in kB, MB and GB.
  case bytes

  /// A value as readers like it.
  func text(_ value: Double) -> String {
    switch self {
    case .none: Figure.compact(value)
    case .percent: Figure.percent(value)
    case .bytes: Figure.bytes(Int(value.rounded()))
    }
  }
}

/// Numbers as readers like them.
package enum Figure {
  /// A share as `12.5 %`.
  package static func percent(_ share: Double, digits: Int = 1) -> String { fixed(100 * share, digits: digits) + " %" }

  package static func fixed(_ value: Double, digits: Int) -> String {
    let text = String(format: "%.\(digits)f", value)
    return text.hasPrefix("-") && !text.contains { "123456789".contains($0) } ? String(text.dropFirst()) : text
  }

  /// Three significant digits with k, M, G for thousands, and powers of ten for small numbers and huge ones: `12.3k`, `2e-4`.
  package static func compact(_ value: Double) -> String {
    guard value.isFinite else { return value.isNaN ? "not a number" : value < 0 ? "−∞" : "∞" }
    let size = abs(value)
    if size == 0 { return "0" }
    if size < 0.01 || size >= 1e15 {
      let exponent = Int(floor(log10(size) + 1e-9))
      return trimmed(value / pow(10, Double(exponent)), significant: 3) + "e\(exponent)"
    }
    for (unit, suffix) in [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")] where size >= unit * (unit == 1e3 ? 10 : 1) {
      return trimmed(value / unit, significant: 3) + suffix
    }
    return trimmed(value, significant: size >= 1000 ? 4 : 3)
  }

  /// Digits in groups of three: `1,234,567`.
  package static func grouped(_ value: Int) -> String {
    var digits = String(value.magnitude)
    var groups: [String] = []
    while digits.count > 3 {
      groups.insert(String(digits.suffix(3)), at: 0)
      digits.removeLast(3)
    }
    return (value < 0 ? "−" : "") + ([digits] + groups).joined(separator: ",")
  }

  /// `1.4 GB`, in powers of ten.
  package static func bytes(_ count: Int) -> String {
    for (unit, name) in [(1e9, "GB"), (1e6, "MB"), (1e3, "kB")] where Double(count) >= unit {
      return trimmed(Double(count) / unit, significant: 3) + " " + name
    }
    return count == 1 ? "1 byte" : "\(count) bytes"
  }

  /// `2 h 5 min`, `3 min 20 s`, `4.2 s`.
  package static func duration(seconds: Double) -> String {
    if seconds < 60 { return trimmed(seconds, significant: 3) + " s" }
    let whole = Int(seconds.rounded())
    if whole < 3600 { return "\(whole / 60) min \(whole % 60) s" }
    return "\(whole / 3600) h \(whole % 3600 / 60) min"
  }

  private static func trimmed(_ value: Double, significant: Int) -> String {
    guard value != 0 else { return "0" }
    let digits = max(0, significant - 1 - Int(floor(log10(abs(value)) + 1e-9)))
    var text = fixed(value, digits: digits)
    guard text.contains(".") else { return text }
    while text.hasSuffix("0") { text.removeLast() }
    if text.hasSuffix(".") { text.removeLast() }
    return text
  }
}
