extension TemplateStringMethods {
  static func hasAffix(
    _ name: String, _ text: String, _ arguments: TemplateArguments, _ matches: (ArraySlice<UInt8>, [UInt8]) -> Bool
  ) throws -> TemplateValue {
    let given = try arguments.bindPositional(name, 1...3)
    let part = try slice(text, given[1], given[2]).part
    let candidates: [TemplateValue]
    if case .tuple(let items)? = given[0] { candidates = items } else { candidates = [given[0] ?? .none] }
    for candidate in candidates {
      guard let affix = candidate.text else {
        throw TemplateFailure(
          .value, "\(name) first arg must be str or a tuple of str, not \(candidate.typeName)")
      }
      if matches(Array(part.utf8)[...], Array(affix.utf8)) { return .bool(true) }
    }
    return .bool(false)
  }

  static func count(_ text: String, _ arguments: TemplateArguments) throws -> TemplateValue {
    let (needle, part, _) = try searched("count", text, arguments)
    guard !needle.isEmpty else { return .integer(part.unicodeScalars.count + 1) }
    return .integer(PythonText.occurrences(of: needle, in: part).count)
  }

  /// The part of a text between two optional bounds, and where it starts.
  private static func slice(
    _ text: String, _ start: TemplateValue?, _ end: TemplateValue?
  ) throws -> (part: String, start: Int) {
    guard start != nil || end != nil else { return (text, 0) }
    let count = text.unicodeScalars.count
    func bound(_ value: TemplateValue?, default initial: Int) throws -> Int {
      if case .some(.none) = value { return initial }
      let bound = try value.integer(default: initial, for: "slice")
      return max(0, bound < 0 ? bound + count : bound)
    }
    let first = try bound(start, default: 0)
    let last = min(count, try bound(end, default: count))
    guard first <= last else { return ("", first) }
    return (String(text.unicodeScalars.dropFirst(first).prefix(last - first)), first)
  }

  private static func searched(
    _ name: String, _ text: String, _ arguments: TemplateArguments
  ) throws -> (needle: String, part: String, start: Int) {
    let given = try arguments.bindPositional(name, 1...3)
    let (part, start) = try slice(text, given[1], given[2])
    return (try given[0].requiredText(for: name), part, start)
  }

  static func position(
    _ name: String, _ text: String, _ arguments: TemplateArguments, last: Bool
  ) throws -> Int? {
    let (needle, part, start) = try searched(name, text, arguments)
    guard start <= text.unicodeScalars.count else { return nil }
    guard !needle.isEmpty else { return start + (last ? part.unicodeScalars.count : 0) }
    var found: Int?
    PythonText.forEachOccurrence(of: needle, in: part) { offset in
      found = offset
      return last
    }
    return found.map { offset in start + part.unicodeScalars[..<part.utf8.index(part.startIndex, offsetBy: offset)].count }
  }

  static func requiredPosition(
    _ name: String, _ text: String, _ arguments: TemplateArguments, last: Bool
  ) throws -> Int {
    guard let found = try position(name, text, arguments, last: last) else {
      throw TemplateFailure(.value, "substring not found")
    }
    return found
  }
}
