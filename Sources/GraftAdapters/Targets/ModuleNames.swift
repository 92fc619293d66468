import GraftConfiguration
import GraftLayers
import GraftRegularExpressions
import GraftTensors

/// The names of modules, for what configurations say of them and for what is said when they are wrong.
enum ModuleNames {
  /// `did you mean ...? there are ...`, by the last components of paths.
  static func advice(for name: String, among paths: [String]) -> String {
    var ends: [String] = []
    for path in paths {
      let end = path.split(separator: ".").last.map(String.init) ?? path
      if !ends.contains(end) { ends.append(end) }
    }
    let nearest = ends.contains(name) ? nil : NearestName.of(name, among: ends)
    return (nearest.map { "did you mean \($0)? " } ?? "") + "there are \(ends.joined(separator: ", "))"
  }

  /// A short list of path ends that stands for some of the modules and for no others.
  ///
  /// - Parameters:
  ///   - chosen: the modules' paths.
  ///   - others: the paths that no end may match.
  static func list(of chosen: [String], apartFrom others: [String]) -> [String] {
    let isChosen = Set(chosen)
    let others = others.filter { !isChosen.contains($0) }
    var ends: [String] = []
    for path in chosen where !ends.contains(where: { ModuleSelection.matches(path, name: $0) }) {
      let components = path.split(separator: ".")
      let candidates = components.indices.reversed().map { components[$0...].joined(separator: ".") }
      ends.append(candidates.first { end in !others.contains { ModuleSelection.matches($0, name: end) } } ?? path)
    }
    return ends
  }
}

extension Parameter {
  /// The path of the module that it belongs to.
  var modulePath: String { path.lastIndex(of: ".").map { String(path[..<$0]) } ?? "" }
}

extension SiteCatalog {
  /// The shortest ends of paths that stand for the linear layers of the given roles, and for no other module.
  func names(of roles: Set<Role>) -> [String] {
    let chosen = linears.filter { $0.role.map(roles.contains) ?? false }
    return ModuleNames.list(of: chosen.map(\.path), apartFrom: modulePaths)
  }

  /// The paths of all modules: sites, and what holds sites or parameters.
  var modulePaths: [String] {
    var paths: [String] = []
    var known: Set<String> = []
    for path in sites.map(\.path) + parameters.map(\.modulePath) {
      let components = path.split(separator: ".")
      for end in components.indices {
        let holder = components[...end].joined(separator: ".")
        if known.insert(holder).inserted { paths.append(holder) }
      }
    }
    return paths
  }

  /// The modules that are saved whole without being asked for: a classifier's head, which PEFT adds by both of its names, and what
  /// the checkpoint lacked, which is of no use frozen, and in no other place.
  /// - Parameter isHeld: true where a parameter that the checkpoint lacked is part of the delta.
  func unaskedModules(_ isHeld: (Parameter) -> Bool) -> [String] {
    func isNamed(_ path: String) -> Bool { ["classifier", "score"].contains { SavedModules.takes(path, name: $0) } }
    let heads = sites.filter { $0.role == .classifier }.map(\.path)
    var names = heads.contains(where: isNamed) ? ["classifier", "score"] : []
    for path in heads.filter({ !isNamed($0) }) + drawn.filter(isHeld).map(\.modulePath)
    where !names.contains(where: { SavedModules.takes(path, name: $0) }) {
      names.append(path)
    }
    return names
  }
}

/// PEFT's `modules_to_save`: modules that are trained whole. Their names are matched otherwise than targets are.
struct SavedModules {
  let names: [String]
  private let insides: [RegularExpression]

  /// - Throws: `TuningError` for a name that makes no regular expression, as which PEFT reads it in one place.
  init(_ names: [String]) throws(TuningError) {
    self.names = names
    var insides: [RegularExpression] = []
    for name in names { insides.append(try RegularExpression("(^|.*\\.)\(name)($|\\..*)", isWhole: false, of: "modules_to_save")) }
    self.insides = insides
  }

  /// Returns true for a name that takes a module, or something that holds it: by the plain end of its path.
  static func takes(_ path: String, name: String) -> Bool {
    let components = path.split(separator: ".")
    return components.indices.contains { components[...$0].joined(separator: ".").hasSuffix(name) }
  }

  /// Returns true for a module that takes no adapter: because it is saved, or because PEFT takes it for saved.
  func contains(_ path: String) -> Bool { insides.contains { $0.matches(path) } || names.contains { Self.takes(path, name: $0) } }
}
