/// An expression of a template, ready to be evaluated.
struct TemplateExpression: Sendable {
  indirect enum Kind: Sendable {
    case literal(TemplateLiteral)
    case name(Int)
    case tuple([TemplateExpression])
    case list([TemplateExpression])
    case dictionary([(key: TemplateExpression, value: TemplateExpression)])
    case attribute(TemplateExpression, String)
    case subscripted(TemplateExpression, by: TemplateExpression)
    case slice(TemplateExpression, start: TemplateExpression?, stop: TemplateExpression?, step: TemplateExpression?)
    case call(TemplateExpression, TemplateCallArguments)
    case filter(TemplateExpression, String, TemplateCallArguments)
    case test(TemplateExpression, String, TemplateCallArguments)
    case negative(TemplateExpression)
    case positive(TemplateExpression)
    case not(TemplateExpression)
    case binary(TemplateOperator, TemplateExpression, TemplateExpression)
    case and(TemplateExpression, TemplateExpression)
    case or(TemplateExpression, TemplateExpression)
    case concatenation([TemplateExpression])
    case comparison(TemplateExpression, [(TemplateComparison, TemplateExpression)])
    case conditional(test: TemplateExpression, then: TemplateExpression, else: TemplateExpression?)
    /// The text that a `filter` or `set` block rendered.
    case capturedText
  }

  var kind: Kind
  var line: Int
}

enum TemplateLiteral: Sendable {
  case none
  case bool(Bool)
  case integer(Int)
  case double(Double)
  case string(String)
}

enum TemplateOperator: String, Sendable {
  case add = "+", subtract = "-", multiply = "*", divide = "/", floorDivide = "//", modulo = "%", power = "**"
}

enum TemplateComparison: String, Sendable {
  case equal = "==", notEqual = "!=", less = "<", lessOrEqual = "<=", greater = ">", greaterOrEqual = ">="
  case contained = "in", notContained = "not in"
}

/// The arguments written at a call: `(a, b, key=c, *d, **e)`.
struct TemplateCallArguments: Sendable {
  var positional: [TemplateExpression] = []
  var keyword: [(name: String, value: TemplateExpression)] = []
  var positionalSpread: TemplateExpression?
  var keywordSpread: TemplateExpression?
}

/// The target of an assignment.
indirect enum TemplateTarget: Sendable {
  case name(Int)
  case namespace(Int, attribute: String)
  case tuple([TemplateTarget])
}

struct TemplateStatement: Sendable {
  indirect enum Kind: Sendable {
    case text(String)
    case output(TemplateExpression)
    case conditional([(test: TemplateExpression, body: [TemplateStatement])], else: [TemplateStatement])
    case loop(TemplateLoop)
    case set(TemplateTarget, TemplateExpression)
    case setBlock(TemplateTarget, filter: TemplateExpression?, body: [TemplateStatement])
    case with([(target: TemplateTarget, value: TemplateExpression)], body: [TemplateStatement])
    case macro(TemplateMacro)
    case callBlock(TemplateMacro, callee: TemplateExpression, TemplateCallArguments)
    case filterBlock(filter: TemplateExpression, body: [TemplateStatement])
    case generation(body: [TemplateStatement])
    case scope(body: [TemplateStatement])
    case breakLoop
    case continueLoop
  }

  var kind: Kind
  var line: Int
}

struct TemplateLoop: Sendable {
  var target: TemplateTarget
  var iterable: TemplateExpression
  var condition: TemplateExpression?
  var body: [TemplateStatement]
  var otherwise: [TemplateStatement]
  var isRecursive: Bool
  /// True where the body reads `loop`; only then is look-ahead needed.
  var usesLoopVariable: Bool
}

struct TemplateMacro: Sendable {
  struct Parameter: Sendable {
    var name: String
    var identifier: Int
    var initialValue: TemplateExpression?
  }

  /// Nil for the body of a call block.
  var name: String?
  var identifier: Int?
  var parameters: [Parameter]
  var body: [TemplateStatement]
  /// The identifiers of `caller`, `kwargs` and `varargs` where the body reads them.
  var caller: Int?
  var extraKeywords: Int?
  var extraPositionals: Int?
}

/// A parsed template: statements, and the names behind their identifiers.
struct TemplateProgram: Sendable {
  var statements: [TemplateStatement]
  var names: [String]
  /// Names that the template's outermost level sets before it reads them. Jinja settles when it compiles that
  /// these are the template's own, so that what the caller passes under them is never seen.
  var ownNames: Set<Int>
}
