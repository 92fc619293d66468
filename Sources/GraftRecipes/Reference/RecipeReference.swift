import GraftAdapters
import GraftConfiguration
import GraftJSON

/// The reference that is generated from `RecipeKey.all` and the methods: a page in Markdown and a JSON Schema.
public enum RecipeReference {
  /// Returns the page of all keys, in Markdown; of the package's methods, `Documentation/Recipes.md`.
  public static func page(methods: [any TuningMethod.Type] = MethodCatalog.all) -> String {
    var lines = [
      "# Recipes", "",
      "Every key with its type, its default and its meaning; `graft help KEY` prints one (`graft help training.precision`), `graft schema` the JSON",
      "Schema for editors. This page is written by `graft schema --markdown`.", "",
    ]
    for (name, title, keys) in sections {
      lines += ["## \(title)", "", "| key | type | default | meaning |", "| --- | --- | --- | --- |"]
      lines += keys.map { key in
        let value = key.defaultValue.isNull ? "" : "`\(key.defaultText)`"
        return "| `\(key.path.dropFirst(name.isEmpty ? 0 : name.count + 1))` | \(key.type.description) | \(value) | \(key.meaning) |"
      }
      lines.append("")
    }
    lines += ["## Keys of methods", "", "What stands beside `peft_type`, with the defaults of a recipe. [What the methods compute](Methods.md)."]
    for method in methods { lines += ["", "### \(method.name)", "", "```yaml", defaults(of: method), "```"] }
    return lines.joined(separator: "\n") + "\n"
  }

  /// Returns a method's keys with a recipe's defaults, as YAML.
  public static func defaults(of method: any TuningMethod.Type) -> String {
    (method.defaultTree?.rendered() ?? "").split(separator: "\n").joined(separator: "\n")
  }

  private static var sections: [(name: String, title: String, keys: [RecipeKey])] {
    let top = RecipeKey.all.filter { !$0.path.contains(".") }
    let names = ["model", "preference", "method", "data", "training", "report"]
    return [("", "The recipe", top)] + names.map { name in (name, name, RecipeKey.all.filter { $0.path.hasPrefix(name + ".") }) }
  }

  /// Returns true for a key or a section that `help` explains.
  public static func explains(_ path: String) -> Bool { RecipeKey.all.contains { $0.path == path || $0.path.hasPrefix(path + ".") } }

  /// Lines that explain a key of a recipe or of a method, such as `training.precision` and `method.r`, or all keys of a section.
  /// - Throws: `ConfigError` for an unknown one, with the nearest there is.
  public static func help(of path: String) throws -> String {
    if let key = RecipeKey.all.first(where: { $0.path == path }) { return key.help }
    if explains(path) { return RecipeKey.all.filter { $0.path.hasPrefix(path + ".") }.map(\.help).joined(separator: "\n") }
    let methodKeys = MethodCatalog.keys.map { "method." + $0 }
    guard methodKeys.contains(path) else {
      throw ConfigError(
        location: nil, path: [path], problem: "no key of a recipe",
        advice: NearestName.advice(for: path, among: RecipeKey.all.map(\.path) + methodKeys))
    }
    return "\(path)\n  \(owners(of: String(path.dropFirst("method.".count)), among: MethodCatalog.all))"
  }

  /// Returns a JSON Schema (draft 2020-12) of recipes, with which editors complete and check them.
  public static func schema(methods: [any TuningMethod.Type] = MethodCatalog.all) -> JSON {
    var recipe = emptySection
    for key in RecipeKey.all { insert(key.schema, at: key.path.split(separator: ".").map(String.init)[...], in: &recipe) }
    // A method's section takes a whole adapter_config.json, of which other programs write more keys.
    var method = recipe["properties"]?["method"] ?? emptySection
    method["additionalProperties"] = true
    method["properties"]?["peft_type"]?["enum"] = .array(methods.map { .string($0.name) })
    for key in MethodCatalog.keys(of: methods).sorted() where method["properties"]?[key] == nil {
      method["properties"]?[key] = ["description": .string(owners(of: key, among: methods))]
    }
    recipe["properties"]?["method"] = method
    return [
      "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "A recipe of graft", "type": "object", "additionalProperties": false,
      "properties": recipe["properties"] ?? [:],
    ]
  }

  private static let emptySection: JSON = ["type": "object", "additionalProperties": false, "properties": [:]]

  /// Puts the schema of a key into that of its section, and a section's into that around it.
  private static func insert(_ schema: JSON, at path: ArraySlice<String>, in section: inout JSON) {
    guard let name = path.first else { return }
    guard path.count > 1 else {
      section["properties"]?[name] = schema
      return
    }
    var inner = section["properties"]?[name] ?? emptySection
    insert(schema, at: path.dropFirst(), in: &inner)
    section["properties"]?[name] = inner
  }

  /// The names of the methods that have a key.
  private static func owners(of key: String, among methods: [any TuningMethod.Type]) -> String {
    let names = methods.filter { $0.defaultTree?.mapping?.keys.contains(key) ?? false }.map { $0.name }
    return names.isEmpty ? "Every method." : "Of \(names.joined(separator: ", "))."
  }
}

extension TuningMethod {
  /// The keys of the method with a recipe's defaults.
  fileprivate static var defaultTree: ConfigTree? { try? ConfigTree(encoding: recipeDefaults) }
}

extension RecipeKey {
  fileprivate var schema: JSON {
    var schema = type.schema
    if allowsNull, type != .section { schema = ["anyOf": [schema, ["type": "null"]]] }
    schema["description"] = .string(meaning.replacing("`", with: ""))
    if !defaultValue.isNull, path != "method.peft_type" { schema["default"] = defaultValue.json }
    return schema
  }
}

extension RecipeKey.ValueType {
  fileprivate var schema: JSON {
    switch self {
    case .text: ["type": "string"]
    case .whole: ["type": "integer"]
    case .number: ["type": "number"]
    case .boolean: ["type": "boolean"]
    case .choice(let names): ["enum": .array(names.map(JSON.string))]
    // A label or a text of a list may look like a number.
    case .list(.text): ["type": "array", "items": ["type": ["string", "number", "boolean"]]]
    case .list(let element): ["type": "array", "items": element.schema]
    case .mapping(let value): ["type": "object", "additionalProperties": value.schema]
    case .files:
      [
        "oneOf": [
          ["type": "string"],
          [
            "type": "array",
            "items": [
              "oneOf": [
                ["type": "string"],
                [
                  "type": "object", "required": ["path"], "additionalProperties": false,
                  "properties": ["path": ["type": "string"], "weight": ["type": "number"]],
                ],
              ]
            ],
          ],
        ]
      ]
    case .section: ["type": ["object", "null"]]
    }
  }
}
