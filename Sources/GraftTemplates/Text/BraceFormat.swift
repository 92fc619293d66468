import Foundation

/// Python's `text.format(...)`.
enum BraceFormat {
  static func format(_ text: String, with arguments: TemplateArguments) throws -> String {
    var automatic = 0
    return try format(Array(text.unicodeScalars), arguments, &automatic, depth: 0)
  }

  private static func format(
    _ scalars: [Unicode.Scalar], _ arguments: TemplateArguments, _ automatic: inout Int, depth: Int
  ) throws -> String {
    guard depth < 2 else { throw TemplateFailure(.value, "Max string recursion exceeded") }
    var result = ""
    var index = 0
    while index < scalars.count {
      let scalar = scalars[index]
      index += 1
      if scalar == "{" || scalar == "}", index < scalars.count, scalars[index] == scalar {
        result.unicodeScalars.append(scalar)
        index += 1
      } else if scalar == "}" {
        throw TemplateFailure(.value, "Single '}' encountered in format string")
      } else if scalar == "{" {
        var open = 1
        let start = index
        while index < scalars.count, open > 0 {
          if scalars[index] == "{" { open += 1 }
          if scalars[index] == "}" { open -= 1 }
          index += 1
        }
        guard open == 0 else { throw TemplateFailure(.value, "expected '}' before end of string") }
        result += try formatField(Array(scalars[start..<index - 1]), arguments, &automatic, depth: depth)
        try TemplateLimits.check(byteCount: result.utf8.count)
      } else {
        result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  private static func formatField(
    _ field: [Unicode.Scalar], _ arguments: TemplateArguments, _ automatic: inout Int, depth: Int
  ) throws -> String {
    let end = field.firstIndex { $0 == "!" || $0 == ":" } ?? field.count
    var value = try lookUp(String(String.UnicodeScalarView(field[..<end])), arguments, &automatic)
    var rest = end
    if rest < field.count, field[rest] == "!" {
      guard rest + 1 < field.count else {
        throw TemplateFailure(.value, "end of string while looking for conversion specifier")
      }
      value = .string(field[rest + 1] == "s" ? value.description : value.representation)
      rest += 2
    }
    guard rest < field.count else { return value.description }
    guard field[rest] == ":" else { throw TemplateFailure(.value, "expected ':' after conversion specifier") }
    let specification = try format(Array(field[(rest + 1)...]), arguments, &automatic, depth: depth + 1)
    return try FormatSpecification(parsing: specification).format(value)
  }

  private static func lookUp(
    _ name: String, _ arguments: TemplateArguments, _ automatic: inout Int
  ) throws -> TemplateValue {
    let first = name.prefix { $0 != "." && $0 != "[" }
    var value: TemplateValue
    if first.isEmpty || first.allSatisfy(\.isNumber) {
      let position = Int(first) ?? automatic
      if first.isEmpty { automatic += 1 }
      guard position < arguments.positional.count else {
        throw TemplateFailure(.value, "Replacement index \(position) out of range for positional args tuple")
      }
      value = arguments.positional[position]
    } else {
      guard let found = arguments.keyword.first(where: { PythonText.equal($0.name, String(first)) }) else {
        throw TemplateFailure(.value, "'\(first)'")
      }
      value = found.value
    }
    var rest = name[first.endIndex...]
    while let mark = rest.first {
      rest = rest.dropFirst()
      if mark == "." {
        let member = rest.prefix { $0 != "." && $0 != "[" }
        value = try value.attribute(String(member))
        rest = rest[member.endIndex...]
      } else {
        let key = rest.prefix { $0 != "]" }
        value = try value.item(Int(key).map(TemplateValue.integer) ?? .string(String(key)))
        rest = rest[key.endIndex...].dropFirst()
      }
    }
    return value
  }
}
