import GraftJSON

/// A value while a template runs: Python's types, as far as templates can tell.
///
/// The sandbox forbids changing lists and dictionaries, so that they are plain values here; only
/// namespaces, iterators and loops have identity.
enum TemplateValue {
  case undefined(TemplateUndefined)
  case none
  case bool(Bool)
  case integer(Int)
  case double(Double)
  case string(String)
  /// A string that counts as escaped HTML: joining it with others escapes them.
  case markup(String)
  case list([TemplateValue])
  case tuple([TemplateValue])
  case dictionary(TemplateDictionary)
  case view(TemplateDictionary.View)
  case range(TemplateRange)
  case iterator(TemplateIterator)
  case namespace(TemplateNamespace)
  case loop(TemplateLoopState)
  case function(TemplateFunction)

  init(_ json: JSON) {
    switch json {
    case .null: self = .none
    case .bool(let value): self = .bool(value)
    case .integer(let value): self = .integer(value)
    case .number(let value): self = .double(value)
    case .string(let value): self = .string(value)
    case .array(let items): self = .list(items.map(TemplateValue.init))
    case .object(let members):
      self = .dictionary(TemplateDictionary(members.map { (.string($0.key), TemplateValue($0.value)) }))
    }
  }

  init(_ literal: TemplateLiteral) {
    switch literal {
    case .none: self = .none
    case .bool(let value): self = .bool(value)
    case .integer(let value): self = .integer(value)
    case .double(let value): self = .double(value)
    case .string(let value): self = .string(value)
    }
  }

  static func undefined(_ hint: String) -> TemplateValue {
    .undefined(TemplateUndefined(hint))
  }

  /// The text of a string or markup.
  var text: String? {
    switch self {
    case .string(let text), .markup(let text): text
    default: nil
    }
  }

  /// The number of the message that the value is, where it is one.
  var messageIndex: Int? {
    if case .dictionary(let dictionary) = self { return dictionary.messageIndex }
    return nil
  }

  var isUndefined: Bool {
    if case .undefined = self { return true }
    return false
  }

  /// Python's name of the type, as it appears in error messages.
  var typeName: String {
    switch self {
    case .undefined: "Undefined"
    case .none: "NoneType"
    case .bool: "bool"
    case .integer: "int"
    case .double: "float"
    case .string: "str"
    case .markup: "Markup"
    case .list: "list"
    case .tuple: "tuple"
    case .dictionary: "dict"
    case .view(let view): view.kind.rawValue
    case .range: "range"
    case .iterator(let iterator): iterator.typeName
    case .namespace: "Namespace"
    case .loop: "LoopContext"
    case .function: "function"
    }
  }

  /// Python's `bool(value)`.
  var isTrue: Bool {
    switch self {
    case .undefined, .none: false
    case .bool(let value): value
    case .integer(let value): value != 0
    case .double(let value): value != 0
    case .string(let text), .markup(let text): !text.isEmpty
    case .list(let items), .tuple(let items): !items.isEmpty
    case .dictionary(let dictionary): !dictionary.entries.isEmpty
    case .view(let view): !view.dictionary.entries.isEmpty
    case .range(let range): range.count > 0
    case .loop(let loop): loop.knownCount != 0
    case .iterator, .namespace, .function: true
    }
  }
}

/// The reason why a value is missing; told when it is used.
final class TemplateUndefined {
  let kind: ChatTemplateError.Kind
  private let explain: () -> String

  init(_ hint: @escaping @autoclosure () -> String, kind: ChatTemplateError.Kind = .undefined) {
    explain = hint
    self.kind = kind
  }

  var failure: TemplateFailure { TemplateFailure(kind, explain()) }
}

/// The value of `namespace(...)`: the one thing whose attributes a template can set.
final class TemplateNamespace {
  private(set) var attributes: TemplateDictionary

  init(_ attributes: TemplateDictionary) throws {
    for entry in attributes.entries { try Self.check(entry.key.text ?? "") }
    self.attributes = attributes
  }

  func set(_ name: String, to value: TemplateValue) throws {
    try Self.check(name)
    if case .function(let function) = value, function.isMacro {
      // Macros hold their scopes, through which a loop could chain them without end.
      throw TemplateFailure(.limit, "a namespace cannot store the macro '\(function.name)'")
    }
    attributes.set(.string(name), to: value)
  }

  private static func check(_ name: String) throws {
    guard !name.hasPrefix("_") else {
      throw TemplateFailure(.security, "a namespace cannot store the underscore-prefixed attribute '\(name)'")
    }
  }
}

/// Something that can be called: a global, a macro or a method bound to its value.
final class TemplateFunction {
  let name: String
  let description: String
  let attributes: [String: TemplateValue]
  let isMacro: Bool
  /// The value that a method is bound to.
  let owner: TemplateValue?
  let call: (TemplateArguments) throws -> TemplateValue

  init(
    _ name: String, description: String? = nil, attributes: [String: TemplateValue] = [:],
    owner: TemplateValue? = nil, isMacro: Bool = false, call: @escaping (TemplateArguments) throws -> TemplateValue
  ) {
    self.name = name
    self.description = description ?? "<function \(name)>"
    self.attributes = attributes
    self.owner = owner
    self.isMacro = isMacro
    self.call = call
  }
}
