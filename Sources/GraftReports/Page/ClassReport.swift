/// The outcome of a classification class by class, and the examples that it was surest of and wrong about.
package struct ClassReport: Sendable {
  /// A held-out example that was taken for another class.
  package struct Mistake: Sendable {
    package var text: String
    /// The index of its own class, and of the one it was taken for.
    package var actual: Int, predicted: Int
    /// The probability that the model gave the class it was taken for.
    package var probability: Double

    package init(text: String, actual: Int, predicted: Int, probability: Double) {
      (self.text, self.actual, self.predicted, self.probability) = (text, actual, predicted, probability)
    }
  }

  /// The names of the classes.
  package var names: [String]
  /// `counts[actual][predicted]`.
  package var counts: [[Int]]
  /// The surest first.
  package var mistakes: [Mistake]

  /// The most mistakes that are kept.
  package static let keptMistakes = 10
  /// The most classes of which the whole matrix is shown.
  private static let widestMatrix = 16

  /// - Precondition: as many lines and columns of counts as there are names.
  package init(names: [String], counts: [[Int]], mistakes: [Mistake]) {
    precondition(counts.count == names.count && counts.allSatisfy { $0.count == names.count }, "a matrix has a line and a column for every class")
    (self.names, self.counts, self.mistakes) = (names, counts, mistakes)
  }

  /// The figures of one class.
  package struct Line: Sendable {
    package var name: String
    /// The number of its examples.
    package var count: Int
    /// The share of what was taken for it that is of it, and of its examples that were; nil where there are none.
    package var precision: Double?, recall: Double?
    /// The harmonic mean of both; nil where the class never occurs on either side.
    package var f1: Double?
  }

  /// The figures of every class.
  package var lines: [Line] {
    names.indices.map { index in
      let hits = counts[index][index]
      let actual = counts[index].reduce(0, +)
      let predicted = counts.reduce(0) { $0 + $1[index] }
      return Line(
        name: names[index], count: actual, precision: predicted > 0 ? Double(hits) / Double(predicted) : nil,
        recall: actual > 0 ? Double(hits) / Double(actual) : nil, f1: actual + predicted > 0 ? 2 * Double(hits) / Double(actual + predicted) : nil)
    }
  }

  /// The table of the classes, the confusion matrix, and the mistakes.
  var html: HTML { "\(table.html)\(confusion)\(wrong)" }

  private var table: HTMLTable {
    HTMLTable(
      columns: [
        .init("class"), .init("examples", isNumeric: true), .init("precision", isNumeric: true), .init("recall", isNumeric: true),
        .init("F1", isNumeric: true),
      ],
      rows: lines.map { line in
        [line.name, Figure.grouped(line.count)] + [line.precision, line.recall, line.f1].map { $0.map { Figure.percent($0) } ?? "–" }
      })
  }

  private var confusion: HTML {
    guard names.count <= Self.widestMatrix else { return confusions }
    let header = names.map { HTML("<th scope=\"col\" class=\"number\">\(text: $0)</th>") }
    let body = names.indices.map { actual in
      let total = max(1, counts[actual].reduce(0, +))
      let cells = names.indices.map { cell(counts[actual][$0], share: Double(counts[actual][$0]) / Double(total), isHit: $0 == actual) }
      return HTML("<tr><th scope=\"row\">\(text: names[actual])</th>\(cells)</tr>\n")
    }
    return """
      <h3>Confusion matrix</h3>
      <p>Lines are the classes that examples have, columns those that they were taken for.</p>
      <div class="table"><table class="matrix">
      <thead><tr><th scope="col"></th>\(header)</tr></thead>
      <tbody>
      \(body)</tbody></table></div>

      """
  }

  /// The darker, the larger its share of the line.
  private func cell(_ count: Int, share: Double, isHit: Bool) -> HTML {
    let colour: HTML = isHit ? "--series-0" : "--series-1"
    let shade = Int((100 * share).rounded())
    let style: HTML = count == 0 ? "" : " style=\"background: color-mix(in srgb, var(\(colour)) \(shade)%, var(--paper))\""
    return "<td class=\"number\(share > 0.6 ? " full" : "")\"\(style)>\(text: Figure.grouped(count))</td>"
  }

  /// The commonest confusions, of more classes than a page has room for.
  private var confusions: HTML {
    let pairs = names.indices.flatMap { actual in
      names.indices.filter { $0 != actual && counts[actual][$0] > 0 }.map { (actual: actual, predicted: $0, count: counts[actual][$0]) }
    }.sorted { $0.count > $1.count }
    guard !pairs.isEmpty else { return "" }
    let table = HTMLTable(
      columns: [.init("class"), .init("taken for"), .init("examples", isNumeric: true)],
      rows: pairs.prefix(20).map { [names[$0.actual], names[$0.predicted], Figure.grouped($0.count)] })
    return "<h3>Commonest confusions</h3>\n\(table.html)\n"
  }

  private var wrong: HTML {
    guard !mistakes.isEmpty else { return "<p>No held-out example was taken for another class.</p>" }
    let table = HTMLTable(
      columns: [.init("text"), .init("class"), .init("taken for"), .init("probability", isNumeric: true)],
      rows: mistakes.map { [$0.text, names[$0.actual], names[$0.predicted], Figure.percent($0.probability)] })
    return "<h3>Mistakes that the model was surest of</h3>\n\(table.html)\n"
  }
}
