import Foundation
import GraftAdapters
import GraftConfiguration
import GraftFiles

extension Recipe {
  /// Reads a recipe file.
  ///
  /// - Parameters:
  ///   - overrides: `key.path=value` arguments, which stand above the file.
  ///   - settings: options that stand above the file and below those arguments.
  /// - Throws: `ConfigError` naming the file, the line, the key and the nearest valid one.
  public init(file: String, overrides: [String] = [], settings: [ConfigOverride] = []) throws {
    try self.init(yaml: Self.text(of: file), file: file, overrides: overrides, settings: settings)
  }

  /// Decodes the text of a recipe; `file` is its name in errors.
  ///
  /// - Parameters:
  ///   - overrides: `key.path=value` arguments, which stand above the text.
  ///   - settings: options that stand above the text and below those arguments.
  ///   - name: the name of the run directory when the recipe does not say; nil is that of the file.
  public init(yaml: String, file: String, overrides: [String] = [], settings: [ConfigOverride] = [], name: String? = nil) throws {
    var tree = try YAMLReader.tree(parsing: yaml, file: file)
    for setting in try settings + overrides.map({ try ConfigOverride(parsing: $0, parseValue: YAMLReader.value(parsing:)) }) {
      try tree.override(setting)
    }
    try self.init(tree, name: name ?? URL(fileURLWithPath: file).deletingPathExtension().lastPathComponent)
  }

  /// Decodes a recipe over the defaults, checks it and resolves it.
  ///
  /// - Parameter name: the name of the run directory when the recipe does not say.
  public init(_ tree: ConfigTree, name: String) throws {
    // A comparison reports on the one and chooses by the other.
    let isComparison = tree["methods"].map { !$0.isNull } ?? false
    try tree.rejectBothOf(Self.exclusiveSources.prefix(isComparison ? 1 : 2))
    self = try tree.decoded(
      over: Recipe(), sections: Dictionary(MethodCatalog.keys.map { ($0, "method") }) { first, _ in first }, synonyms: KeySynonyms.names)
    source = SourceTree(tree: tree)
    comparisonKey = ["methods", "seeds", "learning_rates", "few_shot"].first { tree[$0].map { !$0.isNull } ?? false }.map { key in
      PlacedKey(key: key, location: tree.mapping?.entry(key)?.keyLocation ?? tree.location(at: [key]))
    }
    remarks = training.settlePrecedence()
    if let problem = problems().first {
      throw ConfigError(
        location: tree.location(at: problem.path), path: problem.path, problem: problem.problem, advice: problem.advice)
    }
    training.resolve()
    outputDirectory = outputDirectory ?? "runs/" + name
    if method["peft_type"] == nil {
      method = .mapping(
        ConfigMapping(
          [("peft_type", .scalar(.string("LORA")))] + (method.mapping?.entries.map { ($0.key, $0.value) } ?? [])))
    }
    if methods != nil { _ = try plannedMethods() }
  }

  /// The resolved recipe as YAML that decodes to the same value.
  public func rendered() throws -> String {
    var tree = try ConfigTree(encoding: self)
    for key in ["methods", "seeds", "learning_rates", "few_shot"] where tree[key]?.isNull == true { tree[key] = nil }
    if task != .preference { tree["preference"] = nil }
    if tree["training"]?["loss"]?.isNull == true { tree["training"]?["loss"] = nil }
    return tree.rendered()
  }

  private static func text(of file: String) throws -> String {
    do { return try TextFile.text(of: file) } catch {
      let kind: ConfigError.Kind = error.kind == .malformed ? .invalid : error.kind == .inputOutput ? .unreadable : .noSuchFile
      throw ConfigError(
        location: ConfigLocation(file: file, line: error.line ?? 0), path: [], problem: error.problem,
        advice: kind == .noSuchFile ? "name a recipe, a YAML file" : error.remedy ?? "check the file", kind: kind)
    }
  }
}

extension ConfigTree {
  /// Applies an override; a key that excludes another takes its place.
  fileprivate mutating func override(_ override: ConfigOverride) throws {
    let key = override.path.joined(separator: ".")
    let isComparison = self["methods"].map { !$0.isNull } ?? false
    for (first, second) in Recipe.exclusiveKeys where !override.value.isNull && !(isComparison && first == "data.eval") {
      if key == first { remove(second) }
      if key == second { remove(first) }
    }
    try apply(override)
  }

  private mutating func remove(_ path: String) {
    let keys = path.split(separator: ".").map(String.init)
    guard keys.count == 2, var section = self[keys[0]], section.mapping != nil else { return }
    section[keys[1]] = nil
    self[keys[0]] = section
  }

  fileprivate func rejectBothOf(_ pairs: some Sequence<(String, String)>) throws(ConfigError) {
    for (first, second) in pairs {
      let paths = [first, second].map { $0.split(separator: ".").map(String.init) }
      let isGiven = paths.map { path in
        guard let value = self[path[0]]?[path[1]] else { return false }
        return !value.isNull && value.double != 0
      }
      if isGiven[0], isGiven[1] {
        throw ConfigError(
          location: location(at: paths[1]), path: paths[1], problem: "'\(first)' is given as well",
          advice: "keep one of '\(first)' and '\(second)'")
      }
    }
  }
}
