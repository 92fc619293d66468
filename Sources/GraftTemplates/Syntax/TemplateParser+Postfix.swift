/// Reads what follows a value: members, subscripts, calls, filters and tests.
extension TemplateParser {
  mutating func parsePostfix(_ value: TemplateExpression) throws -> TemplateExpression {
    var result = value
    var length = 0
    while true {
      try checkChain(&length)
      let line = line
      if skip(symbol: ".") {
        let member = current
        advance()
        switch member.kind {
        case .name(let name): result = TemplateExpression(kind: .attribute(result, name), line: line)
        case .integer(let position):
          let position = TemplateExpression(kind: .literal(.integer(position)), line: line)
          result = TemplateExpression(kind: .subscripted(result, by: position), line: line)
        default: throw TemplateFailure(.syntax, "expected name or number", line: member.line)
        }
      } else if skip(symbol: "[") {
        result = try parseSubscript(of: result, line: line)
      } else if isSymbol("(") {
        result = TemplateExpression(kind: .call(result, try parseArguments()), line: line)
      } else {
        return result
      }
    }
  }

  private mutating func parseSubscript(of value: TemplateExpression, line: Int) throws -> TemplateExpression {
    let start = isSymbol(":") ? nil : try parseExpression()
    if let start, !isSymbol(":") {
      var items = [start]
      while skip(symbol: ",") { items.append(try parseExpression()) }
      try expect(symbol: "]")
      let key = items.count == 1 ? start : TemplateExpression(kind: .tuple(items), line: line)
      return TemplateExpression(kind: .subscripted(value, by: key), line: line)
    }
    try expect(symbol: ":")
    let stop = isSymbol(":") || isSymbol("]") ? nil : try parseExpression()
    let step = skip(symbol: ":") && !isSymbol("]") ? try parseExpression() : nil
    try expect(symbol: "]")
    return TemplateExpression(kind: .slice(value, start: start, stop: stop, step: step), line: line)
  }

  private mutating func parseArguments() throws -> TemplateCallArguments {
    let line = line
    try expect(symbol: "(")
    var arguments = TemplateCallArguments()
    var needsComma = false
    func ensure(_ condition: Bool) throws {
      guard condition else {
        throw TemplateFailure(.syntax, "invalid syntax for function call expression", line: line)
      }
    }
    while !isSymbol(")") {
      if needsComma {
        try expect(symbol: ",")
        if isSymbol(")") { break }
      }
      needsComma = true
      if skip(symbol: "*") {
        try ensure(arguments.positionalSpread == nil && arguments.keywordSpread == nil)
        arguments.positionalSpread = try parseExpression()
      } else if skip(symbol: "**") {
        try ensure(arguments.keywordSpread == nil)
        arguments.keywordSpread = try parseExpression()
      } else if case .name(let name) = current.kind, tokens[index + 1].kind == .symbol("=") {
        try ensure(arguments.keywordSpread == nil)
        advance()
        advance()
        arguments.keyword.append((name, try parseExpression()))
      } else {
        try ensure(
          arguments.positionalSpread == nil && arguments.keywordSpread == nil && arguments.keyword.isEmpty)
        arguments.positional.append(try parseExpression())
      }
    }
    advance()
    return arguments
  }

  mutating func parseFiltersAndTests(_ value: TemplateExpression) throws -> TemplateExpression {
    var result = value
    var length = 0
    while true {
      try checkChain(&length)
      if isSymbol("|") {
        result = try parseFilter(result)
      } else if isName("is") {
        result = try parseTest(of: result)
      } else if isSymbol("(") {
        let line = line
        result = TemplateExpression(kind: .call(result, try parseArguments()), line: line)
      } else {
        return result
      }
    }
  }

  /// Reads a chain of filters; with `startsInline` the first has no bar before it.
  mutating func parseFilter(_ value: TemplateExpression, startsInline: Bool = false) throws -> TemplateExpression {
    var result = value
    var isInline = startsInline
    var length = 0
    while isInline || isSymbol("|") {
      try checkChain(&length)
      if !isInline { advance() }
      isInline = false
      let line = line
      let name = try parseDottedName()
      if TemplateFilters.all[name] == nil, !isConditional {
        throw TemplateFailure(.syntax, "No filter named '\(name)'.", line: line)
      }
      let arguments = isSymbol("(") ? try parseArguments() : TemplateCallArguments()
      result = TemplateExpression(kind: .filter(result, name, arguments), line: line)
    }
    return result
  }

  private mutating func parseTest(of value: TemplateExpression) throws -> TemplateExpression {
    let line = line
    advance()
    let isNegated = skip(name: "not")
    let name = try parseDottedName()
    if TemplatePredicates.all[name] == nil, !isConditional {
      throw TemplateFailure(.syntax, "No test named '\(name)'.", line: line)
    }
    var arguments = TemplateCallArguments()
    if isSymbol("(") {
      arguments = try parseArguments()
    } else if startsOperand, !isName("else"), !isName("or"), !isName("and") {
      if isName("is") { throw TemplateFailure(.syntax, "You cannot chain multiple tests with is", line: line) }
      arguments.positional = [try parsePostfix(try parsePrimary())]
    }
    let test = TemplateExpression(kind: .test(value, name, arguments), line: line)
    return isNegated ? TemplateExpression(kind: .not(test), line: line) : test
  }

  private var startsOperand: Bool {
    switch current.kind {
    case .name, .string, .integer, .float, .symbol("["), .symbol("{"): true
    default: false
    }
  }

  private mutating func parseDottedName() throws -> String {
    var name = try expectName()
    while skip(symbol: ".") { name += "." + (try expectName()) }
    return name
  }
}
