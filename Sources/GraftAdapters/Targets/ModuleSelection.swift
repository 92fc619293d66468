import GraftLayers

/// Which modules a method is applied to: one regular expression, or a list of names, as PEFT writes them.
public enum ModuleSelection: Codable, Sendable, Hashable {
  /// A regular expression over whole module paths; `all-linear` stands for every linear layer but the output head.
  case pattern(String)
  /// Paths, or the ends of paths.
  case names([String])

  public static let allLinear = ModuleSelection.pattern("all-linear")

  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let pattern = try? container.decode(String.self) { self = .pattern(pattern) } else { self = .names(try container.decode([String].self)) }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .pattern(let pattern): try container.encode(pattern)
    case .names(let names): try container.encode(names)
    }
  }

  /// A test of module paths.
  /// - Throws: `TuningError` for a malformed regular expression.
  func matcher() throws(TuningError) -> (String) -> Bool {
    switch self {
    case .pattern(let pattern):
      let regex: Regex<AnyRegexOutput>
      do { regex = try Regex(pattern) } catch { throw TuningError("target_modules: \"\(pattern)\" is no regular expression: \(error)") }
      return { (try? regex.wholeMatch(in: $0)) != nil }
    case .names(let names):
      return { path in names.contains { Self.matches(path, name: $0) } }
    }
  }

  static func matches(_ path: String, name: String) -> Bool { path == name || path.hasSuffix("." + name) }
}

/// The first value whose pattern ends a module's path, as PEFT's `rank_pattern` and `alpha_pattern` are read.
func patternValue<Value>(for path: String, in patterns: [(pattern: String, value: Value)]) throws(TuningError) -> Value? {
  for (pattern, value) in patterns {
    if ModuleSelection.matches(path, name: pattern) { return value }
    guard let regex = try? Regex("(.*\\.)?(\(pattern))") else { throw TuningError("\"\(pattern)\" is no regular expression") }
    if (try? regex.wholeMatch(in: path)) != nil { return value }
  }
  return nil
}
