import GraftJSON
import GraftReports

/// One line of the drawing of an architecture: a name and its value.
struct DrawingRow {
  /// A name with its depth; of two drawings, lines with equal labels stand beside one another.
  struct Label: Hashable {
    var name: String
    var depth = 0

    var text: String { String(repeating: "  ", count: depth) + name }
  }

  var label: Label
  var value: String

  init(_ name: String, _ value: String, depth: Int = 0) {
    label = Label(name: name, depth: depth)
    self.value = value
  }

  /// The lines of an architecture.
  static func rows(of architecture: JSON) -> [DrawingRow] {
    func count(_ key: String) -> String { Figure.grouped(architecture[key]?.int ?? 0) }
    var rows = [DrawingRow("architecture", architecture["model_type"]?.string ?? ""), DrawingRow("parameters", count("parameters"))]
    if architecture["active_parameters"] != architecture["parameters"] {
      rows.append(DrawingRow("active for a token", count("active_parameters"), depth: 1))
    }
    rows += [DrawingRow("vocabulary", count("vocabulary_size")), DrawingRow("hidden size", count("hidden_size"))]
    if let positions = architecture["positions"]?.string { rows.append(DrawingRow("positions", positions)) }
    let stacks = architecture["stacks"]?.array ?? []
    for stack in stacks {
      let name = stacks.count > 1 ? "\(stack["name"]?.string ?? "") layers" : "layers"
      for group in stack["groups"]?.array ?? [] { rows += Self.rows(ofGroup: group, name) }
    }
    if let norm = architecture["final_norm"]?.string { rows.append(DrawingRow("final norm", norm)) }
    rows.append(DrawingRow("head", architecture["head"]?.string ?? ""))
    let kept = [
      ("cache, each token", "cache_bytes_per_token"), ("cache, in full windows", "cache_bytes_in_windows"),
      ("cache, each source token", "cache_bytes_per_source_token"), ("state, any length", "state_bytes"),
    ]
    return rows + kept.compactMap { name, key in architecture[key]?.int.map { DrawingRow(name, Figure.bytes($0)) } }
  }

  /// Equal layers one after another, with their sublayers.
  private static func rows(ofGroup group: JSON, _ name: String) -> [DrawingRow] {
    let (first, last) = (group["layers"]?[0]?.int ?? 0, group["layers"]?[1]?.int ?? 0)
    var rows = [DrawingRow(name, first == last ? "\(first)" : "\(first)-\(last)")]
    for sublayer in group["sublayers"]?.array ?? [] {
      rows.append(DrawingRow(sublayer["kind"]?.string ?? "", "", depth: 1))
      for (key, value) in sublayer.object ?? [:] where key != "kind" {
        let text = value.int.map(Figure.grouped) ?? value.string ?? value.serialized()
        rows.append(DrawingRow(key.replacing("_", with: " "), text, depth: 2))
      }
    }
    return rows
  }

  /// The labels of two drawings in one order that both keep: what one of them lacks stands where the other has it.
  static func merged(_ a: [Label], _ b: [Label]) -> [Label] {
    let difference = b.difference(from: a)
    var removed: Set<Int> = []
    var inserted: [Int: Label] = [:]
    for change in difference {
      switch change {
      case .remove(let offset, _, _): removed.insert(offset)
      case .insert(let offset, let label, _): inserted[offset] = label
      }
    }
    var merged: [Label] = []
    var at = 0
    for index in a.indices {
      if removed.contains(index) {
        merged.append(a[index])
        continue
      }
      while let label = inserted[at] {
        merged.append(label)
        at += 1
      }
      merged.append(a[index])
      at += 1
    }
    while let label = inserted[at] {
      merged.append(label)
      at += 1
    }
    return merged
  }

  /// Cells in columns, two spaces apart.
  static func aligned(_ lines: [[String]]) -> String {
    let count = lines.map(\.count).max() ?? 0
    let widths = (0..<count).map { column in lines.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0 }
    return lines.map { cells in
      let padded = zip(cells, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
      let line = padded.joined(separator: "  ")
      return String(line[..<(line.lastIndex { $0 != " " }.map { line.index(after: $0) } ?? line.startIndex)])
    }.joined(separator: "\n")
  }
}
