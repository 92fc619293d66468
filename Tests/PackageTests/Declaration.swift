/// A declaration in a Swift file outside of bodies, and what it is a member of.
///
/// It is told by the file's lines: the formatter begins each declaration on a line of its own.
struct Declaration {
  /// The first word, such as `func`.
  let kind: String
  /// The name, with the labels of a function's parameters, such as `merge(into:)`.
  let name: String
  /// The file's line, counted from 1.
  let line: Int
  /// The word that says who may use it; nil where none does.
  let access: String?
  /// The types behind the colon of a type.
  let parents: [String]
  /// True where a line of documentation stands above.
  let isDocumented: Bool
  /// The types and extensions around it, the outermost first.
  let owners: [Declaration]

  static let types: Set = ["struct", "class", "enum", "protocol", "extension", "actor"]
  private static let kinds = types.union(["func", "var", "let", "init", "subscript", "case", "typealias", "associatedtype"])
  private static let accesses: Set = ["public", "open", "package", "internal", "fileprivate", "private"]
  private static let modifiers: Set = [
    "static", "final", "override", "mutating", "nonmutating", "consuming", "borrowing", "indirect", "convenience", "required", "lazy", "weak",
    "unowned", "nonisolated", "nonisolated(unsafe)", "prefix", "postfix", "infix", "private(set)", "fileprivate(set)", "internal(set)",
    "package(set)",
  ]

  /// Returns the declarations of a file, in their order.
  static func all(in source: SwiftSource) -> [Declaration] {
    var found: [Declaration] = []
    // What braces belong to: a type, or nil for anything else; with the parentheses that are open around them.
    var scopes: [(owner: Declaration?, parentheses: Int)] = []
    var parentheses = 0
    for (index, code) in source.code.enumerated() {
      var next: Declaration?
      let owners = scopes.compactMap(\.owner)
      if parentheses == 0, owners.count == scopes.count, let declaration = Declaration(source, at: index, in: owners) {
        found.append(declaration)
        next = declaration
      } else {
        next = found.last.flatMap { parentheses == 0 && $0.owners.count == scopes.count ? $0 : nil }
      }
      for character in code.utf8 {
        switch character {
        case UInt8(ascii: "("), UInt8(ascii: "["): parentheses += 1
        case UInt8(ascii: ")"), UInt8(ascii: "]"): parentheses -= 1
        case UInt8(ascii: "{"):
          scopes.append((next.flatMap { parentheses == 0 && types.contains($0.kind) ? $0 : nil }, parentheses))
          (next, parentheses) = (nil, 0)
        case UInt8(ascii: "}"): parentheses = scopes.popLast()?.parentheses ?? 0
        default: break
        }
      }
    }
    return found
  }

  /// Reads what a line declares; nil for a line that begins no declaration.
  private init?(_ source: SwiftSource, at index: Int, in owners: [Declaration]) {
    var words = Self.withoutAttributes(source.code[index])[...]
    var access: String?
    while let word = words.first.map(String.init) {
      let isModifier = Self.modifiers.contains(word) || word == "class" && ["func", "var", "let"].contains(words.dropFirst().first ?? "")
      if Self.accesses.contains(word) { access = word } else if !isModifier { break }
      words.removeFirst()
    }
    guard let kind = words.first.map({ String($0.prefix(while: \.isLetter)) }), Self.kinds.contains(kind) else { return nil }
    let head = (words.joined(separator: " ") + Self.continuation(of: source.code[index...])).dropFirst(kind.count).drop { $0 == " " }
    self.kind = kind
    self.access = access
    self.owners = owners
    line = index + 1
    name = Self.name(of: kind, head)
    parents = Self.types.contains(kind) ? Self.parents(head) : []
    let above = source.lines[..<index].last { !$0.drop { $0 == " " }.hasPrefix("@") }
    isDocumented = above?.drop { $0 == " " }.hasPrefix("///") ?? false
  }

  /// True where the words say or imply that it is public, whoever may use what it is a member of.
  var isDeclaredPublic: Bool {
    guard access == nil, let owner = owners.last else { return access == "public" || access == "open" }
    switch owner.kind {
    case "protocol": return owner.isDeclaredPublic
    case "extension": return owner.access == "public"
    default: return kind == "case" && owner.isDeclaredPublic
    }
  }

  private static func withoutAttributes(_ code: Substring) -> [Substring] {
    var words = code.split(separator: " ")[...]
    while let first = words.first, first.hasPrefix("@") {
      var open = 0
      repeat { open += depth(words.removeFirst()) } while open > 0 && !words.isEmpty
    }
    return Array(words)
  }

  /// The parentheses that are opened and not closed.
  private static func depth(_ text: Substring) -> Int { text.utf8.reduce(0) { $0 + ($1 == 40 ? 1 : $1 == 41 ? -1 : 0) } }

  /// The lines that go on with the first one's parameters.
  private static func continuation(of lines: ArraySlice<Substring>) -> String {
    var open = lines.first.map(depth) ?? 0
    return lines.dropFirst().prefix { line in
      defer { open += depth(line) }
      return open > 0
    }.joined(separator: " ")
  }

  private static func parents(_ head: Substring) -> [String] {
    let heritage = head.prefix { $0 != "{" }.split(separator: ":", maxSplits: 1).dropFirst().first ?? ""
    return heritage.split(separator: " where ")[..<min(1, heritage.isEmpty ? 0 : 1)].flatMap { list in
      list.split { ",&".contains($0) }.compactMap { $0.split { " .".contains($0) }.last.map(String.init) }
    }
  }

  private static func name(of kind: String, _ head: Substring) -> String {
    let isWord = head.first.map { $0.isLetter || $0 == "_" || $0 == "`" } ?? false
    guard ["func", "init", "subscript"].contains(kind) else { return String(head.prefix { $0.isLetter || $0.isNumber || "_.`".contains($0) }) }
    // An operator's operands have no labels.
    if kind == "func", !isWord { return String(head.prefix { $0 != " " && $0 != "(" }) }
    let base = kind == "func" ? head.prefix { $0 != "(" && $0 != "<" } : kind[...]
    return "\(base)(" + labels(head, isSubscript: kind == "subscript").map { $0 + ":" }.joined() + ")"
  }

  /// The labels of the parameters between the first parentheses.
  private static func labels(_ head: Substring, isSubscript: Bool) -> [String] {
    var open = 0
    var parameters = [""]
    for character in head.drop(while: { $0 != "(" }) {
      if "([{<".contains(character) { open += 1 }
      if ")]}>".contains(character) { open -= 1 }
      if open == 0 { break }
      if open == 1, character == "," { parameters.append("") } else { parameters[parameters.count - 1].append(character) }
    }
    return parameters.compactMap { parameter in
      let words = parameter.prefix { $0 != ":" }.split { " (".contains($0) }.filter { !$0.hasPrefix("@") }
      return words.first.map { isSubscript && words.count == 1 ? "_" : String($0) }
    }
  }
}
