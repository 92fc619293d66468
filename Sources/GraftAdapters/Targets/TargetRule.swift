import GraftLayers
import GraftRegularExpressions

/// PEFT's `check_target_module_exists`.
struct TargetRule {
  let layers: LayerRule
  private let isExcludedByName: (String) -> Bool, isChosen: (String) -> Bool
  private let saved: SavedModules
  private let wholePaths: Set<String>

  /// - Parameter unasked: modules that are saved whole besides those that the targets name.
  /// - Throws: `TuningError` for a malformed regular expression.
  init(_ targets: Targets, chosen: ModuleSelection, unasked: [String]) throws(TuningError) {
    isExcludedByName = try targets.excluded?.matcher("exclude_modules") ?? { _ in false }
    isChosen = try chosen.matcher()
    saved = try SavedModules(targets.saved + unasked)
    layers = try LayerRule(targets.layers, targets.layersPattern)
    if case .names(let names) = chosen { wholePaths = Set(names) } else { wholePaths = [] }
  }

  func isExcluded(_ path: String) -> Bool { isExcludedByName(path) || saved.contains(path) }

  func isInLayers(_ path: String) -> Bool { layers.contains(path) }

  /// A path that is written whole counts whatever its layer.
  func isTarget(_ path: String) -> Bool { !isExcluded(path) && (wholePaths.contains(path) || isChosen(path) && isInLayers(path)) }
}

/// PEFT's `layers_to_transform` and `layers_pattern`.
struct LayerRule {
  private let layers: Set<Int>?
  private let patterns: [RegularExpression]

  /// - Throws: `TuningError` for a malformed regular expression.
  init(_ layers: [Int]?, _ patterns: [String]) throws(TuningError) {
    self.layers = layers.flatMap { $0.isEmpty ? nil : Set($0) }
    var expressions: [RegularExpression] = []
    for pattern in patterns where !pattern.isEmpty {
      expressions.append(try RegularExpression("(?:^|.*?\\.)(?:\(pattern))", isWhole: true, of: "layers_pattern"))
    }
    self.patterns = expressions
  }

  func contains(_ path: String) -> Bool {
    guard let layers else { return true }
    return layer(of: path).map(layers.contains) ?? false
  }

  /// The first number that stands behind a component, which a pattern may restrict, and before another.
  func layer(of path: String) -> Int? {
    let components = path.split(separator: ".").map(String.init)
    for index in components.indices.dropFirst().dropLast() {
      guard let number = Int(components[index]) else { continue }
      let before = components[..<index].joined(separator: ".")
      // Without a pattern something has to stand before that component, too.
      if patterns.isEmpty ? index > 1 : patterns.contains(where: { $0.matches(before) }) { return number }
    }
    return nil
  }
}
