/// Turns a template's tokens into statements.
struct TemplateParser {
  var tokens: [TemplateToken]
  var index = 0
  private(set) var names: [String] = []
  var identifiers: [String: Int] = [:]
  /// The number of readings of each of the names with a special meaning inside loops and macros.
  var reads: [String: Int] = [:]
  /// Unknown filters and tests are reported at once, but inside a condition only when reached.
  var isConditional = false
  var depth = 0
  var loopDepth = 0
  var openTags: [String] = []
  /// Nesting of bodies with a scope of their own, and of conditions, around what is being read.
  private var scopeDepth = 0
  var conditionDepth = 0
  private var namesReadOutermost: Set<Int> = []
  private var ownNames: Set<Int> = []

  static let maximumDepth = 120
  static let maximumChain = 250

  static func parse(_ text: String) throws -> TemplateProgram {
    var parser = TemplateParser(tokens: try TemplateLexer.tokens(of: text))
    let statements = try parser.parseBody(until: [])
    return TemplateProgram(statements: statements, names: parser.names, ownNames: parser.ownNames)
  }

  private init(tokens: [TemplateToken]) {
    self.tokens = tokens
  }

  // MARK: Tokens

  var current: TemplateToken { tokens[index] }
  var line: Int { tokens[index].line }

  mutating func advance() {
    if index + 1 < tokens.count { index += 1 }
  }

  func isSymbol(_ symbol: String) -> Bool { current.kind == .symbol(symbol) }
  func isName(_ name: String) -> Bool { current.kind == .name(name) }

  mutating func skip(symbol: String) -> Bool {
    guard isSymbol(symbol) else { return false }
    advance()
    return true
  }

  mutating func skip(name: String) -> Bool {
    guard isName(name) else { return false }
    advance()
    return true
  }

  mutating func expect(symbol: String) throws {
    guard skip(symbol: symbol) else { throw unexpected(expected: symbol) }
  }

  mutating func expectName() throws -> String {
    guard case .name(let name) = current.kind else { throw unexpected(expected: "name") }
    advance()
    return name
  }

  mutating func expectBlockEnd() throws {
    guard current.kind == .blockEnd else { throw unexpected(expected: "end of statement block") }
    advance()
  }

  func unexpected(expected: String) -> TemplateFailure {
    TemplateFailure(.syntax, "expected token '\(expected)', got '\(current.description)'", line: line)
  }

  mutating func identifier(of name: String) -> Int {
    if let known = identifiers[name] { return known }
    identifiers[name] = names.count
    names.append(name)
    return names.count - 1
  }

  /// Notes that a name was read.
  mutating func noteRead(of name: String) {
    reads[name, default: 0] += 1
    if scopeDepth == 0 { namesReadOutermost.insert(identifier(of: name)) }
  }

  mutating func noteWrite(to target: TemplateTarget) {
    guard scopeDepth == 0 else { return }
    switch target {
    case .name(let name):
      if conditionDepth > 0 {
        namesReadOutermost.insert(name)
      } else if !namesReadOutermost.contains(name) {
        ownNames.insert(name)
      }
    case .namespace(let name, _): namesReadOutermost.insert(name)
    case .tuple(let targets): for target in targets { noteWrite(to: target) }
    }
  }

  // MARK: Bodies

  /// Reads statements up to a tag in `ends` (left current) or, when there are none, to the end of the template.
  mutating func parseBody(until ends: [String]) throws -> [TemplateStatement] {
    depth += 1
    defer { depth -= 1 }
    guard depth < Self.maximumDepth else {
      throw TemplateFailure(.limit, "blocks are nested more than \(Self.maximumDepth) deep", line: line)
    }
    var body: [TemplateStatement] = []
    while true {
      let start = current
      switch start.kind {
      case .data(let text):
        body.append(TemplateStatement(kind: .text(text), line: start.line))
        advance()
      case .variableBegin:
        advance()
        body.append(TemplateStatement(kind: .output(try parseTuple()), line: start.line))
        guard current.kind == .variableEnd else { throw unexpected(expected: "end of print statement") }
        advance()
      case .blockBegin:
        advance()
        if case .name(let tag) = current.kind, ends.contains(tag) { return body }
        try parseStatement(into: &body)
        try expectBlockEnd()
      default:
        guard ends.isEmpty, start.kind == .end else { throw endOfTemplate(looksFor: ends) }
        return body
      }
    }
  }

  /// Reads the rest of an opening tag and the body up to `end`, whose name is consumed.
  mutating func parseBlock(end: String) throws -> [TemplateStatement] {
    let body = try parseBlock(until: [end])
    advance()
    return body
  }

  mutating func parseBlock(until ends: [String]) throws -> [TemplateStatement] {
    _ = skip(symbol: ":")
    try expectBlockEnd()
    return try parseBody(until: ends)
  }

  private func endOfTemplate(looksFor ends: [String]) -> TemplateFailure {
    let wanted = ends.map { "'\($0)'" }.joined(separator: " or ")
    let innermost = openTags.last.map { " The innermost block that needs to be closed is '\($0)'." } ?? ""
    return TemplateFailure(
      .syntax, "Unexpected end of template. Jinja was looking for the following tags: \(wanted).\(innermost)",
      line: line)
  }

  /// A body that starts a scope of its own, where unknown filters are errors again.
  mutating func inScope<R>(_ parse: (inout TemplateParser) throws -> R) rethrows -> R {
    let outer = isConditional
    isConditional = false
    scopeDepth += 1
    defer {
      isConditional = outer
      scopeDepth -= 1
    }
    return try parse(&self)
  }
}
