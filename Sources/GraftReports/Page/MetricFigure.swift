/// The name and the figures of a metric as readers like them.
package enum MetricFigure {
  /// `token accuracy` for `eval_token_accuracy`.
  package static func words(_ name: String) -> String {
    var words = ""
    for character in name.hasPrefix("eval_") ? name.dropFirst(5) : name[...] { words.append(character == "_" ? " " : character) }
    return words
  }

  /// `Token accuracy` for `eval_token_accuracy`.
  package static func title(_ name: String) -> String { words(name).prefix(1).uppercased() + words(name).dropFirst() }

  /// True for a share of right answers, which is told in per cent.
  package static func isShare(_ name: String) -> Bool { name.hasSuffix("accuracy") || name.hasSuffix("exact_match") }

  /// The unit of the metric in a plot.
  package static func unit(_ name: String) -> PlotUnit { isShare(name) ? .percent : .none }

  /// A share in per cent, anything else with four digits.
  package static func text(_ value: Double, of name: String) -> String {
    guard value.isFinite else { return "" }
    return isShare(name) ? Figure.percent(value) : Figure.fixed(value, digits: 4)
  }

  /// An interval, whose unit is told by the value before it.
  package static func text(_ range: ClosedRange<Double>, of name: String) -> String {
    func end(_ value: Double) -> String { isShare(name) ? Figure.fixed(100 * value, digits: 1) : Figure.fixed(value, digits: 4) }
    return "\(end(range.lowerBound)) – \(end(range.upperBound))"
  }
}
