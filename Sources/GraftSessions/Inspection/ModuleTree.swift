import Foundation
import GraftJSON

/// The modules of an inspected adapter as an indented tree: what several paths begin with is written once.
struct ModuleTree {
  let lines: [String]

  init(_ modules: [JSON]) {
    let entries = modules.map { (path: ($0["path"]?.string ?? "").split(separator: ".").map(String.init)[...], facts: Self.facts($0)) }
    lines = Self.lines(of: entries)
  }

  private static func lines(of entries: [(path: ArraySlice<String>, facts: String)]) -> [String] {
    var lines: [String] = []
    var rest = entries[...]
    while let first = rest.first {
      let name = first.path.first ?? ""
      let group = Array(rest.prefix { $0.path.first == name })
      rest = rest.dropFirst(group.count)
      let inner = group.map { (path: $0.path.dropFirst(), facts: $0.facts) }
      guard !inner.contains(where: \.path.isEmpty) else {
        lines += inner.map { entry in entry.path.isEmpty ? "\(name)  \(entry.facts)" : "\(name).\(entry.path.joined(separator: "."))  \(entry.facts)"
        }
        continue
      }
      var below = Self.lines(of: inner)
      if let only = below.first, below.dropFirst().allSatisfy({ $0.hasPrefix(" ") }) {
        // One child joins its parent's line.
        below[0] = "\(name).\(only)"
        lines += below
      } else {
        lines += [name] + below.map { "  " + $0 }
      }
    }
    return lines
  }

  private static func facts(_ module: JSON) -> String {
    var facts: [String] = []
    if let kind = module["kind"]?.string { facts.append(kind) }
    if let shape = module["shape"]?.array { facts.append("[\(shape.compactMap { $0.int.map(String.init) }.joined(separator: ", "))]") }
    if let rank = module["rank"]?.int { facts.append("rank \(rank)") }
    facts.append("\(module["parameters"]?.int ?? 0) values")
    if let norm = module["change_norm"]?.double { facts.append("|ΔW| " + String(format: "%.4g", norm)) }
    if let count = module["intruders"]?.int { facts.append("\(count) \(count == 1 ? "intruder" : "intruders")") }
    return facts.joined(separator: "  ")
  }
}
