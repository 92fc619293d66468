/// Reads what stands between `{%` and `%}`.
extension TemplateParser {
  mutating func parseStatement(into body: inout [TemplateStatement]) throws {
    guard case .name(let tag) = current.kind else {
      throw TemplateFailure(.syntax, "tag name expected", line: line)
    }
    let line = line
    openTags.append(tag)
    advance()
    let kind: TemplateStatement.Kind
    switch tag {
    case "if": kind = try parseIf()
    case "for": kind = try parseFor()
    case "set": kind = try parseSet()
    case "with": kind = try parseWith()
    case "macro": kind = try parseMacro()
    case "call": kind = try parseCallBlock()
    case "filter":
      kind = try inScope { parser in
        let filter = try parser.parseFilter(TemplateExpression(kind: .capturedText, line: line), startsInline: true)
        return .filterBlock(filter: filter, body: try parser.parseBlock(end: "endfilter"))
      }
    case "generation":
      kind = .generation(body: try parseSeparateBody(end: "endgeneration"))
    case "block":
      let name = try expectName()
      _ = skip(name: "scoped")
      kind = .scope(body: try parseSeparateBody(end: "endblock"))
      _ = skip(name: name)
    case "print":
      while current.kind != .blockEnd {
        body.append(TemplateStatement(kind: .output(try parseExpression()), line: line))
        if current.kind != .blockEnd { try expect(symbol: ",") }
      }
      openTags.removeLast()
      return
    case "break", "continue":
      guard loopDepth > 0 else { throw TemplateFailure(.syntax, "'\(tag)' outside loop", line: line) }
      kind = tag == "break" ? .breakLoop : .continueLoop
    case "extends", "include", "import", "from", "autoescape":
      throw TemplateFailure(.syntax, "a chat template stands alone and cannot use '\(tag)'", line: line)
    default:
      throw TemplateFailure(.syntax, "Encountered unknown tag '\(tag)'.", line: line)
    }
    openTags.removeLast()
    body.append(TemplateStatement(kind: kind, line: line))
  }

  private mutating func parseIf() throws -> TemplateStatement.Kind {
    let outer = isConditional
    isConditional = true
    conditionDepth += 1
    defer {
      isConditional = outer
      conditionDepth -= 1
    }
    var branches: [(test: TemplateExpression, body: [TemplateStatement])] = []
    while true {
      let test = try parseTuple(allowsConditional: false)
      branches.append((test, try parseBlock(until: ["elif", "else", "endif"])))
      if skip(name: "elif") { continue }
      if skip(name: "else") { return .conditional(branches, else: try parseBlock(end: "endif")) }
      advance()
      return .conditional(branches, else: [])
    }
  }

  private mutating func parseFor() throws -> TemplateStatement.Kind {
    loopDepth += 1
    defer { loopDepth -= 1 }
    let target = try parseTarget(end: "in")
    guard skip(name: "in") else { throw unexpected(expected: "in") }
    let iterable = try parseTuple(allowsConditional: false, end: "recursive")
    return try inScope { parser in
      let condition = parser.skip(name: "if") ? try parser.parseExpression() : nil
      let isRecursive = parser.skip(name: "recursive")
      let readsBefore = parser.reads["loop", default: 0]
      let body = try parser.parseBlock(until: ["endfor", "else"])
      let usesLoop = isRecursive || parser.reads["loop", default: 0] > readsBefore
      parser.loopDepth -= 1
      defer { parser.loopDepth += 1 }
      let otherwise = parser.skip(name: "else") ? try parser.parseBlock(end: "endfor") : []
      if otherwise.isEmpty, parser.isName("endfor") { parser.advance() }
      return .loop(
        TemplateLoop(
          target: target, iterable: iterable, condition: condition, body: body, otherwise: otherwise,
          isRecursive: isRecursive, usesLoopVariable: usesLoop))
    }
  }

  private mutating func parseSet() throws -> TemplateStatement.Kind {
    let target = try parseTarget(allowsNamespace: true)
    if skip(symbol: "=") {
      let value = try parseTuple()
      noteWrite(to: target)
      return .set(target, value)
    }
    noteWrite(to: target)
    let captured = TemplateExpression(kind: .capturedText, line: line)
    return try inScope { parser in
      let filter = parser.isSymbol("|") ? try parser.parseFilter(captured) : nil
      return .setBlock(target, filter: filter, body: try parser.parseBlock(end: "endset"))
    }
  }

  private mutating func parseWith() throws -> TemplateStatement.Kind {
    var assignments: [(target: TemplateTarget, value: TemplateExpression)] = []
    while current.kind != .blockEnd {
      if !assignments.isEmpty { try expect(symbol: ",") }
      let target = try parseTarget()
      try expect(symbol: "=")
      assignments.append((target, try parseExpression()))
    }
    return .with(assignments, body: try inScope { try $0.parseBlock(end: "endwith") })
  }

  private mutating func parseMacro() throws -> TemplateStatement.Kind {
    let name = try expectName()
    noteWrite(to: .name(identifier(of: name)))
    let parameters = try inScope { try $0.parseSignature() }
    return .macro(
      try parseMacroBody(name: name, identifier: identifier(of: name), parameters: parameters, end: "endmacro"))
  }

  private mutating func parseCallBlock() throws -> TemplateStatement.Kind {
    let parameters = isSymbol("(") ? try parseSignature() : []
    guard case .call(let callee, let arguments) = try parseExpression().kind else {
      throw TemplateFailure(.syntax, "expected call", line: line)
    }
    let body = try parseMacroBody(name: nil, identifier: nil, parameters: parameters, end: "endcall")
    return .callBlock(body, callee: callee, arguments)
  }

  private mutating func parseSignature() throws -> [TemplateMacro.Parameter] {
    try expect(symbol: "(")
    var parameters: [TemplateMacro.Parameter] = []
    while !isSymbol(")") {
      if !parameters.isEmpty { try expect(symbol: ",") }
      let name = try expectName()
      let value = skip(symbol: "=") ? try parseExpression() : nil
      if value == nil, parameters.last?.initialValue != nil {
        throw TemplateFailure(.syntax, "non-default argument follows default argument", line: line)
      }
      parameters.append(.init(name: name, identifier: identifier(of: name), initialValue: value))
    }
    advance()
    return parameters
  }

  private mutating func parseMacroBody(
    name: String?, identifier: Int?, parameters: [TemplateMacro.Parameter], end: String
  ) throws -> TemplateMacro {
    let before = reads
    let body = try parseSeparateBody(end: end)
    func special(_ special: String) -> Int? {
      guard reads[special, default: 0] > before[special, default: 0],
        !parameters.contains(where: { $0.name == special })
      else { return nil }
      return identifiers[special]
    }
    return TemplateMacro(
      name: name, identifier: identifier, parameters: parameters, body: body,
      caller: special("caller"), extraKeywords: special("kwargs"), extraPositionals: special("varargs"))
  }

  /// A body with a scope of its own, which also cannot leave a loop around it.
  private mutating func parseSeparateBody(end: String) throws -> [TemplateStatement] {
    let outer = loopDepth
    loopDepth = 0
    defer { loopDepth = outer }
    return try inScope { try $0.parseBlock(end: end) }
  }

  // MARK: Assignment targets

  private mutating func parseTarget(allowsNamespace: Bool = false, end: String? = nil) throws -> TemplateTarget {
    var targets: [TemplateTarget] = []
    var isTuple = false
    while true {
      if !targets.isEmpty { try expect(symbol: ",") }
      if isTuple, isSymbol(")") || isSymbol("=") || current.kind == .blockEnd || (end.map(isName) ?? false) { break }
      targets.append(try parseSingleTarget(allowsNamespace: allowsNamespace))
      guard isSymbol(",") else { break }
      isTuple = true
    }
    return isTuple ? .tuple(targets) : targets[0]
  }

  private mutating func parseSingleTarget(allowsNamespace: Bool) throws -> TemplateTarget {
    if skip(symbol: "(") {
      let target = try parseTarget(allowsNamespace: allowsNamespace)
      try expect(symbol: ")")
      return target
    }
    let line = line
    let name = try expectName()
    if ["true", "false", "none", "True", "False", "None"].contains(name) {
      throw TemplateFailure(.syntax, "can't assign to 'const'", line: line)
    }
    if allowsNamespace, skip(symbol: ".") {
      return .namespace(identifier(of: name), attribute: try expectName())
    }
    if name == "loop", loopDepth > 0 {
      throw TemplateFailure(.syntax, "Can't assign to special loop variable in for-loop target", line: line)
    }
    return .name(identifier(of: name))
  }
}
