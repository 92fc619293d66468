import ArgumentParser
import Foundation
import GraftBatching
import GraftConfiguration
import GraftDatasets
import GraftRecipes
import GraftSessions

/// The recipe of a run: a file, standard input, or options alone.
struct RecipeOptions: ParsableArguments {
  @Argument(help: "A recipe (YAML), - for standard input, or beside --model a file to train on.") var recipe: String?
  @Argument(help: ArgumentHelp("Settings that stand above the recipe.", valueName: "key.path=value")) var overrides: [String] = []
  @Option(help: ArgumentHelp("A Hugging Face checkpoint directory; stands above the recipe's model.path.", valueName: "dir")) var model: String?
  @Option(help: ArgumentHelp("A file to train on (repeatable); stands above the recipe's data.train.", valueName: "file")) var data: [String] = []
  @Option(help: ArgumentHelp("A file of held-out examples (repeatable); stands above data.eval.", valueName: "file")) var eval: [String] = []
  @Option(help: ArgumentHelp("LORA, IA3, FULL, ...; stands above method.peft_type (graft methods lists them).", valueName: "name"))
  var method: String?
  @Option(help: ArgumentHelp("Stands above the recipe's task (without a recipe: what the checkpoint and the data are for).", valueName: "task"))
  var task: LearningTask?
  @Option(help: ArgumentHelp("Stands above the recipe's training.seed.", valueName: "n")) var seed: Int?

  func validate() throws {
    guard recipe == nil || beginsWithSetting || isData, model == nil || files.isEmpty else { return }
    throw ValidationError("name a recipe, or --model DIR and --data FILE")
  }

  /// The recipe with the options and arguments that stand above it.
  func resolved() throws -> Recipe {
    let overrides = (beginsWithSetting ? [self.recipe].compactMap { $0 } : []) + overrides
    guard let recipe, !beginsWithSetting, !isData else {
      return try Recipe(yaml: "", file: "options", overrides: overrides, settings: settings(isAlone: true), name: name)
    }
    return try Self.read(recipe, overrides: overrides, settings: settings())
  }

  /// The recipe of a file, or of standard input where its name is `-`.
  static func read(_ file: String, overrides: [String], settings: [ConfigOverride] = []) throws -> Recipe {
    guard file == "-" else { return try Recipe(file: file, overrides: overrides, settings: settings) }
    return try Recipe(yaml: standardInput(), file: "standard input", overrides: overrides, settings: settings, name: "run")
  }

  /// True where the first setting stands in the place of a recipe.
  private var beginsWithSetting: Bool { recipe.map { $0.contains("=") && !FileManager.default.fileExists(atPath: $0) } ?? false }

  /// True where a data file stands in the place of a recipe.
  private var isData: Bool { recipe.map(DataFile.isNamed) ?? false }

  /// The files to train on.
  private var files: [String] { (isData ? [recipe].compactMap { $0 } : []) + data }

  /// The settings that the options make.
  /// - Parameter isAlone: true where no recipe says the rest.
  private func settings(isAlone: Bool = false) throws -> [ConfigOverride] {
    func list(_ paths: [String]) -> ConfigTree { paths.count == 1 ? .scalar(.string(paths[0])) : .sequence(paths.map { .scalar(.string($0)) }) }
    var settings: [ConfigOverride] = []
    if let model { settings.append(ConfigOverride("model.path", .scalar(.string(model)), said: "--model")) }
    if !files.isEmpty { settings.append(ConfigOverride("data.train", list(files), said: "--data")) }
    if !eval.isEmpty { settings.append(ConfigOverride("data.eval", list(eval), said: "--eval")) }
    if let method { settings.append(ConfigOverride("method.peft_type", .scalar(.string(method)), said: "--method")) }
    let task = try task ?? (isAlone ? model.map { try LearningTask(ofModelIn: $0, data: files) } : nil)
    if let task { settings.append(ConfigOverride("task", .scalar(.string(task.rawValue)), said: "--task")) }
    if let seed { settings.append(ConfigOverride("training.seed", .scalar(.integer(seed)), said: "--seed")) }
    return settings
  }

  /// The name of a run of options alone: that of the model and that of the first file.
  private var name: String {
    let model = URL(fileURLWithPath: model ?? "").lastPathComponent
    return "\(model)-\(URL(fileURLWithPath: files.first ?? "").deletingPathExtension().lastPathComponent)"
  }

  /// The most bytes of a recipe.
  private static let longest = 16 << 20

  private static func standardInput() throws -> String {
    let bytes = try FileHandle.standardInput.read(upToCount: longest) ?? Data()
    guard bytes.count < longest, let text = String(validating: bytes, as: UTF8.self) else {
      throw ValidationError("standard input: is no recipe; write YAML, at most \(longest >> 20) MB of it")
    }
    return text
  }
}
