/// The evaluated arguments of a call.
struct TemplateArguments {
  var positional: [TemplateValue] = []
  var keyword: [(name: String, value: TemplateValue)] = []

  /// The steps that going through the arguments once counts for.
  var weight: Int { positional.reduce(0) { $0 + $1.weight } + keyword.reduce(0) { $0 + $1.value.weight } }

  /// Assigns the arguments to parameters, as Python does for a function with this signature.
  ///
  /// - Parameter required: the number of first parameters that must be given.
  func bind(_ function: String, _ parameters: [String], required: Int = 0) throws -> [TemplateValue?] {
    guard positional.count <= parameters.count else {
      throw TemplateFailure(
        .value, "\(function)() takes \(parameters.count) positional arguments but \(positional.count) were given")
    }
    var values: [TemplateValue?] = positional
    values += Array(repeating: nil, count: parameters.count - positional.count)
    for (name, value) in keyword {
      guard let index = parameters.firstIndex(of: name) else {
        throw TemplateFailure(.value, "\(function)() got an unexpected keyword argument '\(name)'")
      }
      guard values[index] == nil else {
        throw TemplateFailure(.value, "\(function)() got multiple values for argument '\(name)'")
      }
      values[index] = value
    }
    for index in 0..<required where values[index] == nil {
      throw TemplateFailure(.value, "\(function)() missing a required argument: '\(parameters[index])'")
    }
    return values
  }

  /// Binds arguments that may only be given by position.
  func bindPositional(_ function: String, _ range: ClosedRange<Int>) throws -> [TemplateValue?] {
    guard keyword.isEmpty else { throw TemplateFailure(.value, "\(function)() takes no keyword arguments") }
    guard range.contains(positional.count) else {
      throw TemplateFailure(
        .value, "\(function)() takes \(range.lowerBound) to \(range.upperBound) arguments (\(positional.count) given)")
    }
    return positional + Array(repeating: nil, count: range.upperBound - positional.count)
  }
}

extension TemplateValue? {
  /// A whole number, or the default where the argument was not given.
  func integer(default value: Int, for function: String) throws -> Int {
    switch self {
    case nil: return value
    case .undefined(let reason): throw reason.failure
    case let given?:
      guard let number = given.wholeNumber else {
        throw TemplateFailure(.value, "\(function)(): '\(given.typeName)' object cannot be interpreted as an integer")
      }
      return number
    }
  }

  /// The argument, or nil also where it is none.
  var unlessNone: TemplateValue? {
    if case .some(.none) = self { return nil }
    return self
  }

  func flag(default value: Bool) -> Bool { self?.isTrue ?? value }

  /// A string, or nil where the argument was not given or is none.
  func optionalText(for function: String) throws -> String? {
    switch self {
    case nil, .some(.none): return nil
    case .undefined(let reason): throw reason.failure
    case let given?:
      guard let text = given.text else {
        throw TemplateFailure(.value, "\(function)() needs a string, not '\(given.typeName)'")
      }
      return text
    }
  }

  func requiredText(for function: String) throws -> String {
    guard let text = try optionalText(for: function) else {
      throw TemplateFailure(.value, "\(function)() needs a string, not 'NoneType'")
    }
    return text
  }
}
