extension TemplateInterpreter {
  func evaluate(_ expression: TemplateExpression, in scope: TemplateScope) throws -> TemplateValue {
    line = expression.line
    switch expression.kind {
    case .literal(let literal): return TemplateValue(literal)
    case .name(let identifier):
      if let value = scope[identifier] { return value }
      let name = program.names[identifier]
      return .undefined(TemplateUndefined("'\(name)' is undefined"))
    default: return try entered { try evaluateCompound(expression, in: scope) }
    }
  }

  private func evaluateCompound(_ expression: TemplateExpression, in scope: TemplateScope) throws -> TemplateValue {
    switch expression.kind {
    case .literal, .name: return try evaluate(expression, in: scope)
    case .attribute(let object, let name): return try evaluate(object, in: scope).attribute(name)
    case .subscripted(let object, let key):
      let object = try evaluate(object, in: scope)
      // Characters of a text are counted from its start.
      if object.text != nil { try TemplateLimits.spend(on: object) }
      return try object.item(try evaluate(key, in: scope))
    case .binary(let operation, let left, let right):
      let left = try evaluate(left, in: scope)
      let right = try evaluate(right, in: scope)
      line = expression.line
      try TemplateLimits.spend(on: left, right)
      let result = try left.applying(operation, right)
      try TemplateLimits.spend(on: result)
      return result
    case .call(let callee, let arguments):
      let function = try evaluate(callee, in: scope)
      let values = try evaluate(arguments, in: scope)
      line = expression.line
      return try call(function, values)
    case .filter(let input, let name, let arguments):
      return try evaluateFilter(input, name, arguments, line: expression.line, in: scope)
    case .test(let input, let name, let arguments):
      guard let predicate = TemplatePredicates.all[name] else {
        throw TemplateFailure(.syntax, "No test named '\(name)' found.")
      }
      let input = try evaluate(input, in: scope)
      let values = try evaluate(arguments, in: scope)
      line = expression.line
      try TemplateLimits.spend(input.weight + values.weight)
      return .bool(try predicate(input, values))
    case .comparison(let first, let rest): return try evaluateComparison(first, rest, in: scope)
    case .and(let left, let right):
      let value = try evaluate(left, in: scope)
      return value.isTrue ? try evaluate(right, in: scope) : value
    case .or(let left, let right):
      let value = try evaluate(left, in: scope)
      return value.isTrue ? value : try evaluate(right, in: scope)
    case .not(let operand): return .bool(!(try evaluate(operand, in: scope).isTrue))
    case .conditional(let test, let then, let otherwise):
      if try evaluate(test, in: scope).isTrue { return try evaluate(then, in: scope) }
      if let otherwise { return try evaluate(otherwise, in: scope) }
      return .undefined(
        "the inline if-expression on line \(expression.line) evaluated to false and no else section was defined.")
    default: return try evaluateRare(expression, in: scope)
    }
  }

  private func evaluateRare(_ expression: TemplateExpression, in scope: TemplateScope) throws -> TemplateValue {
    switch expression.kind {
    case .concatenation(let parts):
      let texts = try parts.map { try evaluate($0, in: scope).description }
      try TemplateLimits.check(joining: texts)
      let text = TemplateValue.string(texts.joined())
      try TemplateLimits.spend(on: text)
      return text
    case .slice(let object, let start, let stop, let step):
      let object = try evaluate(object, in: scope)
      try TemplateLimits.spend(on: object)
      return try object.sliced(
        start: try start.map { try evaluate($0, in: scope) }, stop: try stop.map { try evaluate($0, in: scope) },
        step: try step.map { try evaluate($0, in: scope) })
    case .list(let items): return .list(try items.map { try evaluate($0, in: scope) })
    case .tuple(let items): return .tuple(try items.map { try evaluate($0, in: scope) })
    case .dictionary(let pairs):
      var dictionary = TemplateDictionary()
      for (key, value) in pairs {
        let key = try evaluate(key, in: scope)
        let value = try evaluate(value, in: scope)
        try key.checkHashable()
        dictionary.set(key, to: value)
      }
      return .dictionary(dictionary)
    case .negative(let operand): return try evaluate(operand, in: scope).negated()
    case .positive(let operand): return try evaluate(operand, in: scope).unaryPlus()
    case .capturedText: return .string(capturedTexts.last ?? "")
    default: return try evaluate(expression, in: scope)
    }
  }

  private func evaluateComparison(
    _ first: TemplateExpression, _ rest: [(TemplateComparison, TemplateExpression)], in scope: TemplateScope
  ) throws -> TemplateValue {
    var left = try evaluate(first, in: scope)
    for (comparison, operand) in rest {
      let right = try evaluate(operand, in: scope)
      try TemplateLimits.spend(on: left, right)
      guard try left.compare(comparison, right) else { return .bool(false) }
      left = right
    }
    return .bool(true)
  }

  private func evaluateFilter(
    _ input: TemplateExpression, _ name: String, _ arguments: TemplateCallArguments, line: Int, in scope: TemplateScope
  ) throws -> TemplateValue {
    guard let filter = TemplateFilters.all[name] else {
      throw TemplateFailure(.syntax, "No filter named '\(name)' found.")
    }
    let input = try evaluate(input, in: scope)
    let values = try evaluate(arguments, in: scope)
    self.line = line
    try TemplateLimits.spend(input.weight + values.weight)
    let result = try filter(input, values)
    try TemplateLimits.spend(on: result)
    return result
  }

  // MARK: Calls

  func evaluate(_ arguments: TemplateCallArguments, in scope: TemplateScope) throws -> TemplateArguments {
    var values = TemplateArguments()
    for argument in arguments.positional { values.positional.append(try evaluate(argument, in: scope)) }
    if let spread = arguments.positionalSpread { values.positional += try evaluate(spread, in: scope).items() }
    for (name, argument) in arguments.keyword { values.keyword.append((name, try evaluate(argument, in: scope))) }
    if let spread = arguments.keywordSpread {
      guard case .dictionary(let dictionary) = try evaluate(spread, in: scope) else {
        throw TemplateFailure(.value, "argument after ** must be a mapping")
      }
      for (key, value) in dictionary.entries {
        guard let name = key.text else { throw TemplateFailure(.value, "keywords must be strings") }
        guard !values.keyword.contains(where: { PythonText.equal($0.name, name) }) else {
          throw TemplateFailure(.value, "got multiple values for keyword argument '\(name)'")
        }
        values.keyword.append((name, value))
      }
    }
    return values
  }

  func call(_ callee: TemplateValue, _ arguments: TemplateArguments) throws -> TemplateValue {
    switch callee {
    case .function(let function):
      try TemplateLimits.spend((function.owner?.weight ?? 0) + arguments.weight)
      let result = try entered { try function.call(arguments) }
      try TemplateLimits.spend(on: result)
      return result
    case .undefined(let reason): throw reason.failure
    case .loop(let loop):
      guard let recurse = loop.recurse else {
        throw TemplateFailure(.value, "The loop must have the 'recursive' marker to be called recursively.")
      }
      let bound = try arguments.bind("loop", ["iterable"], required: 1)
      return try entered { try recurse(bound[0] ?? .none, loop.depth0 + 1) }
    default: throw TemplateFailure(.value, "'\(callee.typeName)' object is not callable")
    }
  }

  // MARK: Macros

  func makeMacro(_ macro: TemplateMacro, in scope: TemplateScope) -> TemplateFunction {
    let description = "<Macro \(macro.name.map { "'\($0)'" } ?? "anonymous")>"
    let attributes: [String: TemplateValue] = [
      "name": macro.name.map(TemplateValue.string) ?? .none,
      "arguments": .tuple(macro.parameters.map { .string($0.name) }),
      "catch_kwargs": .bool(macro.extraKeywords != nil),
      "catch_varargs": .bool(macro.extraPositionals != nil),
      "caller": .bool(macro.caller != nil),
    ]
    return TemplateFunction(
      macro.name ?? "caller", description: description, attributes: attributes, isMacro: true
    ) { [self] arguments in
      let inner = TemplateScope(in: scope)
      try bind(arguments, to: macro, in: inner)
      return .string(try captured { _ = try execute(macro.body, in: inner) })
    }
  }

  private func bind(_ arguments: TemplateArguments, to macro: TemplateMacro, in scope: TemplateScope) throws {
    var keywords = arguments.keyword
    func take(_ name: String) -> TemplateValue? {
      guard let index = keywords.firstIndex(where: { $0.name == name }) else { return nil }
      return keywords.remove(at: index).value
    }
    let name = macro.name.map { "'\($0)'" } ?? "None"
    var given = arguments.positional.prefix(macro.parameters.count).map { Optional($0) }
    for parameter in macro.parameters.dropFirst(given.count) { given.append(take(parameter.name)) }
    if let caller = macro.caller {
      scope[caller] = take("caller") ?? .undefined("No caller defined")
    }
    if let extra = macro.extraKeywords {
      scope[extra] = .dictionary(TemplateDictionary(keywords.map { (.string($0.name), $0.value) }))
    } else if keywords.contains(where: { $0.name == "caller" }) {
      throw TemplateFailure(
        .value, "macro \(name) was invoked with two values for the special caller argument. This is most likely a bug.")
    } else if let unknown = keywords.first {
      throw TemplateFailure(.value, "macro \(name) takes no keyword argument '\(unknown.name)'")
    }
    if let extra = macro.extraPositionals {
      scope[extra] = .tuple(Array(arguments.positional.dropFirst(macro.parameters.count)))
    } else if arguments.positional.count > macro.parameters.count {
      throw TemplateFailure(.value, "macro \(name) takes not more than \(macro.parameters.count) argument(s)")
    }
    for (parameter, value) in zip(macro.parameters, given) {
      if let value {
        scope[parameter.identifier] = value
      } else if let initial = parameter.initialValue {
        scope[parameter.identifier] = try evaluate(initial, in: scope)
      } else {
        scope[parameter.identifier] = .undefined("parameter '\(parameter.name)' was not provided")
      }
    }
  }
}
