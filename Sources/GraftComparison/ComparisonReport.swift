import Foundation
import GraftRecipes
import GraftReports
import GraftSessions

/// The report of a comparison: one self-contained page, and its plots as pictures.
struct ComparisonReport {
  let result: ComparisonResult

  init(_ result: ComparisonResult) { self.result = result }

  func html() throws -> String {
    var sections = [HTMLPage.Section("Methods", "\(table.html)\(reading)")]
    let figures = plots.map(\.plot).filter { $0.html != nil }
    if !figures.isEmpty { sections.append(.init("Plots", .plotGrid(figures))) }
    if comparesModels { sections.append(.init("Architectures", .code(drawings))) }
    if !trials.rows.isEmpty { sections.append(.init("Learning rates tried", trials.html)) }
    if let samples { sections.append(.init("Answers side by side", samples)) }
    sections.append(.init("Recipe", .code(try result.recipe.rendered())))
    sections.append(.init("Machine", HTMLTable.pairs(Machine.description)))
    sections.append(
      .init("Reproduce", .code(ShellText.line(["graft", "compare", result.output + "/recipe.yaml", "--output", result.output + "-again"]))))
    let methods = result.rows.count - 1
    let seeds = Set(result.runs.map(\.seed)).count
    return HTMLPage(
      title: comparesModels ? result.baseName : "\(methods) methods on \(result.baseName)",
      subtitle: "\(ComparisonText.metric(result.metric)) on \(result.baseline.scores.count) held-out examples, \(seeds) seed\(seeds == 1 ? "" : "s")",
      highlights: highlights, sections: sections
    ).rendered()
  }

  private var highlights: [(label: String, value: String)] {
    guard let best = result.best else { return [] }
    let ties = result.rows.filter(\.isTie).map(\.name)
    let base = ("Untouched base", ComparisonText.score(result.baseline.score, result.metric))
    guard best.status != .baseline else { return [("Best", "nothing is better than the untouched base"), base] }
    return [
      ("Best", result.isBaseAsGood ? "\(best.name), which is not surely better than the untouched base" : best.name),
      (ComparisonText.metric(result.metric), ComparisonText.score(best.score, result.metric)),
      ("Cannot be told from it", ties.isEmpty ? "none" : ties.joined(separator: ", ")), base,
    ]
  }

  /// The methods with their figures.
  var table: HTMLTable {
    let columns = ComparisonText.columns(result)
    return HTMLTable(
      columns: columns.enumerated().map { .init($1, isNumeric: $0 > 0) }, rows: result.rows.map { ComparisonText.cells($0, in: result) },
      emphasizedRows: Set(result.rows.indices.filter { result.rows[$0].isBest }))
  }

  private var reading: HTML {
    var lines = [
      "Intervals hold the mean with 95 % confidence, over seeds and examples (bootstrap, widened for few seeds). "
        + "A tie with the best is a method whose paired difference from it has a 95 % interval with 0 in it."
    ]
    if Set(result.runs.map(\.seed)).count == 1 { lines.append("With a single seed the intervals say nothing of other seeds.") }
    if !result.hasEqualBudgets { lines.append("The methods read different numbers of tokens: their budgets are not equal.") }
    if result.rows.contains(where: { $0.forgetting != nil }) { lines.append("Forgetting is the rise of the loss on texts that the base knew.") }
    lines += ComparisonText.failures(result)
    return .list(lines)
  }

  private var trials: HTMLTable {
    HTMLTable(
      columns: [
        .init("method"), .init("learning rate", isNumeric: true),
        .init("\(ComparisonText.metric(result.metric)) on validation examples", isNumeric: true),
      ],
      rows: result.trials.map {
        [$0.name, Figure.compact($0.learningRate), $0.status == .success ? ComparisonText.score($0.score, result.metric) : $0.status.rawValue]
      })
  }

  /// The answers of the methods to the same prompts, under the first seed.
  private var samples: HTML? {
    let prompts = result.baseline.answers.prefix(4)
    guard !prompts.isEmpty else { return nil }
    let firsts = result.rows.dropFirst().compactMap { row in result.runs.first { $0.name == row.name && !$0.answers.isEmpty } }
    let parts = prompts.enumerated().map { index, base in
      let answers = [("untouched base", base.answer)] + firsts.compactMap { index < $0.answers.count ? ($0.name, $0.answers[index].answer) : nil }
      let rows = ([("Prompt", base.prompt), ("Expected", base.expected)] + answers).map { label, text in
        HTML("<div><div>\(text: label)</div><div class=\"verbatim\">\(text: text.trimmingCharacters(in: .whitespacesAndNewlines))</div></div>\n")
      }
      return HTML("<div class=\"sample\">\n\(rows)</div>\n")
    }
    return "\(parts)"
  }
}

extension ComparisonReport {
  /// True where methods train other models than each other.
  var comparesModels: Bool { Set(result.runs.compactMap { $0.architecture.isNull ? nil : $0.architecture.serialized() }).count > 1 }

  /// The architectures side by side.
  private var drawings: String {
    let known = result.rows.dropFirst().compactMap { row in
      result.runs.first { $0.name == row.name && !$0.architecture.isNull }.map { (row.name, Architecture(json: $0.architecture)) }
    }
    return Architecture.text(known.map(\.1), titles: known.map(\.0))
  }
}
