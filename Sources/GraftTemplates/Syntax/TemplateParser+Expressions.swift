/// Reads expressions, the weakest binding first.
extension TemplateParser {
  mutating func parseExpression(allowsConditional: Bool = true) throws -> TemplateExpression {
    depth += 1
    defer { depth -= 1 }
    guard depth < Self.maximumDepth else {
      throw TemplateFailure(.limit, "expressions are nested more than \(Self.maximumDepth) deep", line: line)
    }
    return allowsConditional ? try parseConditional() : try parseOr()
  }

  /// Reads an expression, or a tuple without parentheses; `end` names a word that may follow it.
  mutating func parseTuple(
    allowsConditional: Bool = true, end: String? = nil, inParentheses: Bool = false
  ) throws -> TemplateExpression {
    let line = line
    var items: [TemplateExpression] = []
    var isTuple = false
    while true {
      if !items.isEmpty { try expect(symbol: ",") }
      if current.kind == .variableEnd || current.kind == .blockEnd || isSymbol(")") || (end.map(isName) ?? false) {
        break
      }
      items.append(try parseExpression(allowsConditional: allowsConditional))
      guard isSymbol(",") else { break }
      isTuple = true
    }
    if isTuple { return TemplateExpression(kind: .tuple(items), line: line) }
    if let only = items.first { return only }
    guard inParentheses else {
      throw TemplateFailure(.syntax, "Expected an expression, got '\(current.description)'", line: self.line)
    }
    return TemplateExpression(kind: .tuple([]), line: line)
  }

  /// Bounds chains such as `a + b + c ...`, whose trees grow as deep as they are long.
  func checkChain(_ length: inout Int) throws {
    length += 1
    guard length <= Self.maximumChain else {
      throw TemplateFailure(.limit, "an expression has more than \(Self.maximumChain) parts", line: line)
    }
  }

  private mutating func parseConditional() throws -> TemplateExpression {
    let line = line
    var result = try parseOr()
    var length = 0
    while isName("if") {
      try checkChain(&length)
      advance()
      let outer = isConditional
      isConditional = true
      defer { isConditional = outer }
      let test = try parseOr()
      let otherwise = skip(name: "else") ? try parseExpression() : nil
      result = TemplateExpression(kind: .conditional(test: test, then: result, else: otherwise), line: line)
    }
    return result
  }

  private mutating func parseOr() throws -> TemplateExpression {
    let line = line
    var left = try parseAnd()
    var length = 0
    while skip(name: "or") {
      try checkChain(&length)
      left = TemplateExpression(kind: .or(left, try parseAnd()), line: line)
    }
    return left
  }

  private mutating func parseAnd() throws -> TemplateExpression {
    let line = line
    var left = try parseNot()
    var length = 0
    while skip(name: "and") {
      try checkChain(&length)
      left = TemplateExpression(kind: .and(left, try parseNot()), line: line)
    }
    return left
  }

  private mutating func parseNot() throws -> TemplateExpression {
    let line = line
    var count = 0
    while skip(name: "not") { count += 1 }
    var result = try parseComparison()
    for _ in 0..<min(count, 2 - count % 2) { result = TemplateExpression(kind: .not(result), line: line) }
    return result
  }

  private mutating func parseComparison() throws -> TemplateExpression {
    let line = line
    let first = try parseSum()
    var rest: [(TemplateComparison, TemplateExpression)] = []
    while let comparison = skipComparison() { rest.append((comparison, try parseSum())) }
    return rest.isEmpty ? first : TemplateExpression(kind: .comparison(first, rest), line: line)
  }

  private mutating func skipComparison() -> TemplateComparison? {
    switch current.kind {
    case .symbol(let symbol):
      guard let comparison = TemplateComparison(rawValue: symbol) else { return nil }
      advance()
      return comparison
    case .name("in"):
      advance()
      return .contained
    case .name("not") where tokens[min(index + 1, tokens.count - 1)].kind == .name("in"):
      advance()
      advance()
      return .notContained
    default: return nil
    }
  }

  private mutating func parseSum() throws -> TemplateExpression {
    try parseBinary([.add, .subtract]) { try $0.parseConcatenation() }
  }

  private mutating func parseConcatenation() throws -> TemplateExpression {
    let line = line
    var parts = [try parseProduct()]
    while skip(symbol: "~") { parts.append(try parseProduct()) }
    return parts.count == 1 ? parts[0] : TemplateExpression(kind: .concatenation(parts), line: line)
  }

  private mutating func parseProduct() throws -> TemplateExpression {
    try parseBinary([.multiply, .divide, .floorDivide, .modulo]) { parser in
      try parser.parseBinary([.power]) { try $0.parseUnary() }
    }
  }

  private mutating func parseBinary(
    _ operators: [TemplateOperator], operand: (inout TemplateParser) throws -> TemplateExpression
  ) throws -> TemplateExpression {
    let line = line
    var left = try operand(&self)
    var length = 0
    while case .symbol(let symbol) = current.kind, let found = operators.first(where: { $0.rawValue == symbol }) {
      try checkChain(&length)
      advance()
      left = TemplateExpression(kind: .binary(found, left, try operand(&self)), line: line)
    }
    return left
  }

  private mutating func parseUnary(allowsFilters: Bool = true) throws -> TemplateExpression {
    depth += 1
    defer { depth -= 1 }
    guard depth < Self.maximumDepth else {
      throw TemplateFailure(.limit, "expressions are nested more than \(Self.maximumDepth) deep", line: line)
    }
    let line = line
    var result: TemplateExpression
    if skip(symbol: "-") {
      result = TemplateExpression(kind: .negative(try parseUnary(allowsFilters: false)), line: line)
    } else if skip(symbol: "+") {
      result = TemplateExpression(kind: .positive(try parseUnary(allowsFilters: false)), line: line)
    } else {
      result = try parsePrimary()
    }
    result = try parsePostfix(result)
    return allowsFilters ? try parseFiltersAndTests(result) : result
  }

  mutating func parsePrimary() throws -> TemplateExpression {
    let token = current
    advance()
    func literal(_ value: TemplateLiteral) -> TemplateExpression {
      TemplateExpression(kind: .literal(value), line: token.line)
    }
    switch token.kind {
    case .name("true"), .name("True"): return literal(.bool(true))
    case .name("false"), .name("False"): return literal(.bool(false))
    case .name("none"), .name("None"): return literal(.none)
    case .name(let name):
      noteRead(of: name)
      return TemplateExpression(kind: .name(identifier(of: name)), line: token.line)
    case .string(var text):
      while case .string(let more) = current.kind {
        text += more
        advance()
      }
      return literal(.string(text))
    case .integer(let value): return literal(.integer(value))
    case .float(let value): return literal(.double(value))
    case .symbol("("):
      let inner = try parseTuple(inParentheses: true)
      try expect(symbol: ")")
      return inner
    case .symbol("["): return TemplateExpression(kind: .list(try parseItems(until: "]")), line: token.line)
    case .symbol("{"): return TemplateExpression(kind: .dictionary(try parsePairs()), line: token.line)
    default: throw TemplateFailure(.syntax, "unexpected '\(token.description)'", line: token.line)
    }
  }

  private mutating func parseItems(until end: String) throws -> [TemplateExpression] {
    var items: [TemplateExpression] = []
    while !isSymbol(end) {
      if !items.isEmpty { try expect(symbol: ",") }
      if isSymbol(end) { break }
      items.append(try parseExpression())
    }
    advance()
    return items
  }

  private mutating func parsePairs() throws -> [(key: TemplateExpression, value: TemplateExpression)] {
    var pairs: [(key: TemplateExpression, value: TemplateExpression)] = []
    while !isSymbol("}") {
      if !pairs.isEmpty { try expect(symbol: ",") }
      if isSymbol("}") { break }
      let key = try parseExpression()
      try expect(symbol: ":")
      pairs.append((key, try parseExpression()))
    }
    advance()
    return pairs
  }
}
