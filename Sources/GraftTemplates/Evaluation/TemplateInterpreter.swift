/// The variables of a block, inside those of the blocks around it.
final class TemplateScope {
  let parent: TemplateScope?
  private var variables: [(identifier: Int, value: TemplateValue)] = []

  init(in parent: TemplateScope?) { self.parent = parent }

  func clear() { variables = [] }

  subscript(identifier: Int) -> TemplateValue? {
    get {
      var scope: TemplateScope? = self
      while let here = scope {
        if let found = here.variables.last(where: { $0.identifier == identifier }) { return found.value }
        scope = here.parent
      }
      return nil
    }
    set {
      guard let newValue else { return }
      if let index = variables.firstIndex(where: { $0.identifier == identifier }) {
        variables[index].value = newValue
      } else {
        variables.append((identifier, newValue))
      }
    }
  }
}

/// Runs one rendering of a template.
final class TemplateInterpreter {
  enum Flow { case normal, breakLoop, continueLoop }

  let program: TemplateProgram
  /// The line of what is being evaluated, for errors.
  var line = 1
  /// The text that is being written: the rendering itself, or a block that is captured.
  var output = ""
  private var captureDepth = 0
  /// Bytes of the rendering itself, which spans count in even while a block is captured.
  private var renderedByteCount: Int { captureDepth == 0 ? output.utf8.count : outerByteCount }
  private var outerByteCount = 0
  private(set) var spans: [Range<Int>] = []
  /// The message that a loop stands at, innermost first.
  var currentMessage: Int?
  /// True where the loop stands at no message, so that the first that its body names is the one it is about.
  var awaitsMessage = false
  private(set) var messageSpans: [MessageSpan] = []
  var capturedTexts: [String] = []
  /// Scopes that macros were defined in, which hold each other.
  private var macroScopes: [TemplateScope] = []
  private let meter = TemplateMeter()
  private var depth = 0

  init(_ program: TemplateProgram) { self.program = program }

  func run(variables: [String: TemplateValue], globals: [String: TemplateValue]) throws {
    try TemplateMeter.$current.withValue(meter) { try begin(variables: variables, globals: globals) }
  }

  private func begin(variables: [String: TemplateValue], globals: [String: TemplateValue]) throws {
    let scope = TemplateScope(in: nil)
    defer { for scope in macroScopes { scope.clear() } }
    for (identifier, name) in program.names.enumerated() {
      if !program.ownNames.contains(identifier) { scope[identifier] = variables[name] ?? globals[name] }
    }
    _ = try execute(program.statements, in: scope)
  }

  // MARK: Limits

  func entered<R>(_ body: () throws -> R) throws -> R {
    try meter.spend(1)
    depth += 1
    defer { depth -= 1 }
    guard depth <= TemplateLimits.depth else {
      throw TemplateFailure(.limit, "the template nests more than \(TemplateLimits.depth) evaluations")
    }
    return try body()
  }

  func write(_ text: String) throws {
    let start = output.utf8.count
    try TemplateLimits.check(byteCount: start + text.utf8.count)
    output += text
    if captureDepth == 0, let currentMessage, !text.isEmpty { attribute(start..<output.utf8.count, to: currentMessage) }
  }

  /// Notes which message bytes of the rendering were written for.
  private func attribute(_ range: Range<Int>, to message: Int) {
    if let last = messageSpans.last, last.message == message, last.range.upperBound == range.lowerBound {
      messageSpans[messageSpans.count - 1].range = last.range.lowerBound..<range.upperBound
    } else {
      messageSpans.append(MessageSpan(message: message, range: range))
    }
  }

  /// Writes what a filter or call block made, which unlike a printed value must be a string.
  private func write(blockResult value: TemplateValue) throws {
    guard let text = value.text else {
      throw TemplateFailure(.value, "expected str instance, \(value.typeName) found")
    }
    try write(text)
  }

  /// Runs `body` and answers what it wrote instead of writing it.
  func captured(_ body: () throws -> Void) throws -> String {
    let outer = output
    if captureDepth == 0 { outerByteCount = outer.utf8.count }
    output = ""
    captureDepth += 1
    defer {
      captureDepth -= 1
      output = outer
    }
    try body()
    try meter.spend(output.utf8.count >> 6)
    return output
  }

  // MARK: Statements

  func execute(_ statements: [TemplateStatement], in scope: TemplateScope) throws -> Flow {
    for statement in statements {
      let flow = try execute(statement, in: scope)
      if flow != .normal { return flow }
    }
    return .normal
  }

  private func execute(_ statement: TemplateStatement, in scope: TemplateScope) throws -> Flow {
    line = statement.line
    return try entered {
      switch statement.kind {
      case .text(let text): try write(text)
      case .output(let expression): try write(try evaluate(expression, in: scope).description)
      case .conditional(let branches, let otherwise):
        for branch in branches where try evaluate(branch.test, in: scope).isTrue {
          return try execute(branch.body, in: scope)
        }
        return try execute(otherwise, in: scope)
      case .loop(let loop): return try execute(loop, in: scope)
      case .set(let target, let expression):
        try checkNamespaces(target, in: scope)
        let value = try evaluate(expression, in: scope)
        try assign(value, to: target, in: scope)
        if awaitsMessage, let message = value.messageIndex { (currentMessage, awaitsMessage) = (message, false) }
        // Only now is a value that holds its own namespace seen to hold itself.
        try value.checkHeight()
      case .setBlock(let target, let filter, let body):
        try checkNamespaces(target, in: scope)
        let (value, flow) = try evaluateBlock(body, filter: filter, in: scope)
        guard flow == .normal else { return flow }
        try assign(value, to: target, in: scope)
      case .filterBlock(let filter, let body):
        let (value, flow) = try evaluateBlock(body, filter: filter, in: scope)
        guard flow == .normal else { return flow }
        try write(blockResult: value)
      case .with(let assignments, let body):
        let inner = TemplateScope(in: scope)
        for (target, expression) in assignments {
          try assign(try evaluate(expression, in: scope), to: target, in: inner)
        }
        return try execute(body, in: inner)
      case .macro(let macro):
        scope[macro.identifier ?? 0] = .function(makeMacro(macro, in: scope))
        macroScopes.append(scope)
      case .callBlock(let body, let callee, let arguments):
        let caller = TemplateValue.function(makeMacro(body, in: scope))
        let function = try evaluate(callee, in: scope)
        var values = try evaluate(arguments, in: scope)
        values.keyword.append(("caller", caller))
        try write(blockResult: try call(function, values))
      case .generation(let body): try executeGeneration(body, in: scope)
      case .scope(let body): return try execute(body, in: TemplateScope(in: scope))
      case .breakLoop: return .breakLoop
      case .continueLoop: return .continueLoop
      }
      return .normal
    }
  }

  /// The filtered text of a block, which is lost where the block is left by `break` or `continue`.
  private func evaluateBlock(
    _ body: [TemplateStatement], filter: TemplateExpression?, in scope: TemplateScope
  ) throws -> (TemplateValue, Flow) {
    let inner = TemplateScope(in: scope)
    var flow = Flow.normal
    let text = try captured { flow = try execute(body, in: inner) }
    guard let filter, flow == .normal else { return (.string(text), flow) }
    capturedTexts.append(text)
    defer { capturedTexts.removeLast() }
    return (try evaluate(filter, in: inner), .normal)
  }

  private func executeGeneration(_ body: [TemplateStatement], in scope: TemplateScope) throws {
    let start = renderedByteCount
    let text = try captured { _ = try execute(body, in: TemplateScope(in: scope)) }
    spans.append(start..<start + text.utf8.count)
    try write(text)
  }

  // MARK: Assignment

  private func checkNamespaces(_ target: TemplateTarget, in scope: TemplateScope) throws {
    switch target {
    case .name: return
    case .namespace(let identifier, _):
      if case .namespace? = scope[identifier] { return }
      throw TemplateFailure(.value, "cannot assign attribute on non-namespace object")
    case .tuple(let targets): for target in targets { try checkNamespaces(target, in: scope) }
    }
  }

  func assign(_ value: TemplateValue, to target: TemplateTarget, in scope: TemplateScope) throws {
    switch target {
    case .name(let identifier): scope[identifier] = value
    case .namespace(let identifier, let attribute):
      guard case .namespace(let namespace)? = scope[identifier] else {
        throw TemplateFailure(.value, "cannot assign attribute on non-namespace object")
      }
      try namespace.set(attribute, to: value)
    case .tuple(let targets):
      guard value.isIterable else {
        throw TemplateFailure(.value, "cannot unpack non-iterable \(value.typeName) object")
      }
      let items = try value.items()
      guard items.count >= targets.count else {
        throw TemplateFailure(
          .value, "not enough values to unpack (expected \(targets.count), got \(items.count))")
      }
      guard items.count == targets.count else {
        throw TemplateFailure(.value, "too many values to unpack (expected \(targets.count))")
      }
      for (target, item) in zip(targets, items) { try assign(item, to: target, in: scope) }
    }
  }
}
