import GraftLayers
import GraftRegularExpressions

/// A choice of modules: one regular expression, or a list of names, as PEFT writes them.
public enum ModuleSelection: Codable, Sendable, Hashable {
  /// A regular expression over whole module paths; `all-linear` stands for every linear layer but the output head.
  case pattern(String)
  /// Paths, or the ends of paths.
  case names([String])

  /// Every linear layer but the head.
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

  /// True for the word for every linear layer, which PEFT reads in any case.
  var isAllLinear: Bool { if case .pattern(let word) = self { word.lowercased() == "all-linear" } else { false } }

  /// The entries one by one: each name, or the pattern.
  var entries: [(text: String, selection: ModuleSelection)] {
    switch self {
    case .pattern(let pattern): [(pattern, self)]
    case .names(let names): names.map { ($0, .names([$0])) }
    }
  }

  /// A test of module paths.
  /// - Parameter key: the configuration's key, for errors.
  /// - Throws: `TuningError` for a malformed regular expression.
  func matcher(_ key: String = "target_modules") throws(TuningError) -> (String) -> Bool {
    switch self {
    case .pattern(let pattern):
      let expression = try RegularExpression(pattern, isWhole: true, of: key)
      return { expression.matches($0) }
    case .names(let names):
      return { path in names.contains { Self.matches(path, name: $0) } }
    }
  }

  static func matches(_ path: String, name: String) -> Bool { path == name || path.hasSuffix("." + name) }
}

extension RegularExpression {
  /// A pattern of a configuration, which is Python's.
  ///
  /// - Parameters:
  ///   - isWhole: true where it has to match a whole path, rather than its beginning.
  ///   - key: the configuration's key, for errors.
  /// - Throws: `TuningError` that names the key and the pattern.
  init(_ pattern: String, isWhole: Bool, of key: String) throws(TuningError) {
    do { try self.init(python: pattern, isWhole: isWhole) } catch {
      throw TuningError("\(key): \"\(pattern)\" is no regular expression of Python's: \(error)")
    }
  }
}

/// Values by patterns of modules' paths, as PEFT's `rank_pattern` and `alpha_pattern` are read: the first that ends a path counts.
struct PatternTable {
  private let key: String
  private let entries: [(pattern: String, expression: RegularExpression, value: Double)]

  /// - Throws: `TuningError` for a malformed regular expression.
  init(_ key: String, _ patterns: [(pattern: String, value: Double)]) throws(TuningError) {
    self.key = key
    var entries: [(pattern: String, expression: RegularExpression, value: Double)] = []
    for (pattern, value) in patterns {
      entries.append((pattern, try RegularExpression("(.*\\.)?(\(pattern))$", isWhole: false, of: key), value))
    }
    self.entries = entries
  }

  subscript(path: String) -> Double? { entries.first { $0.expression.matches(path) }?.value }

  /// Objects to patterns that no target's path ends with.
  func requireUse(by paths: [String], in attachment: Attachment) throws(TuningError) {
    for entry in entries where !paths.contains(where: { entry.expression.matches($0) }) {
      try attachment.object("\(key): \"\(entry.pattern)\" matches no target; \(ModuleNames.advice(for: entry.pattern, among: paths))")
    }
  }
}
