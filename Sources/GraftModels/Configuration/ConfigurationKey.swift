import GraftCheckpoints
import GraftJSON

/// A key of a family's `config.json`, and its meaning here.
public struct ConfigurationKey: Sendable {
  package enum Meaning: Sendable {
    /// Its value is used.
    case read
    /// Another value than these would change what the model computes, in a way that is not supported.
    case only([JSON])
    /// The way in which weights are quantized: an object with a `quant_method`.
    case quantization
    /// It is read where texts begin and end, not by the model.
    case generation
    /// It changes nothing that is computed here: it is for other tasks, or for the form of Python's results.
    case withoutEffect
  }

  /// The key.
  public let name: String
  package let meaning: Meaning
  /// The value where the file has none, as in Transformers' class; nil where there must be one, or where absence has a
  /// meaning of its own.
  package let fallback: JSON?
  /// True where the file must have it: sizes, which nobody should guess.
  package let isRequired: Bool
  /// True where null is a value.
  package let allowsNull: Bool
  /// The advice of the message for a value that is not supported.
  package let advice: String?

  private init(
    _ name: String, _ meaning: Meaning, fallback: JSON? = nil, isRequired: Bool = false, allowsNull: Bool, advice: String? = nil
  ) {
    (self.name, self.meaning, self.fallback, self.isRequired) = (name, meaning, fallback, isRequired)
    (self.allowsNull, self.advice) = (allowsNull, advice)
  }

  /// A size, which the file must have.
  public static func size(_ name: String) -> ConfigurationKey { ConfigurationKey(name, .read, isRequired: true, allowsNull: false) }

  /// A key whose value is used.
  /// - Parameter value: the value where the file has none; null is a value, too, where this is null or `orNull` says so.
  public static func read(_ name: String, _ value: JSON, orNull: Bool = false) -> ConfigurationKey {
    ConfigurationKey(name, .read, fallback: value, allowsNull: orNull || value.isNull)
  }

  /// A key without a value of its own: absent is not the same as any value.
  public static func optional(_ name: String) -> ConfigurationKey { ConfigurationKey(name, .read, allowsNull: true) }

  /// A key of which only these values are supported.
  /// - Parameter advice: the advice for another value, in place of those that are supported.
  public static func only(_ name: String, _ values: JSON..., advice: String? = nil) -> ConfigurationKey {
    ConfigurationKey(name, .only(values), allowsNull: values.contains(where: \.isNull), advice: advice)
  }

  /// `quantization_config`, which says how the checkpoint's weights are quantized.
  static let quantization = ConfigurationKey("quantization_config", .quantization, allowsNull: true)

  /// Keys that are read where texts begin and end, not by the model.
  public static func generation(_ names: String...) -> [ConfigurationKey] { names.map { ConfigurationKey($0, .generation, allowsNull: true) } }

  /// Keys that change nothing that is computed here: they are for other tasks, or for the form of Python's results.
  public static func withoutEffect(_ names: String...) -> [ConfigurationKey] {
    names.map { ConfigurationKey($0, .withoutEffect, allowsNull: true) }
  }
}

/// The keys of a family's configuration, and the other names that Transformers gives some of them.
public struct ConfigurationKeys: Sendable {
  /// The keys, each name once.
  public let keys: [ConfigurationKey]
  /// Transformers' `attribute_map`: the keys that other names stand for; the value under the other name wins.
  public let synonyms: [String: String]

  /// - Parameter keys: of several with one name, the last counts: a family's own after those that it shares with others.
  public init(_ keys: [ConfigurationKey], synonyms: [String: String] = [:]) {
    let last = Dictionary(keys.map { ($0.name, $0) }) { _, last in last }
    var names: Set<String> = []
    self.keys = keys.compactMap { names.insert($0.name).inserted ? last[$0.name] : nil }
    self.synonyms = synonyms
  }
}

extension ArchitectureConfiguration {
  /// The configuration as Transformers' class of a family reads it: synonyms under their keys, defaults for missing keys, and no key
  /// that the class does not know.
  ///
  /// - Throws: `ArchitectureError` for a value that would change what the model computes in a way that is not supported,
  ///   for a null that is no value, and for a size that is missing.
  public func resolved(as family: ModelFamily) throws(ArchitectureError) -> ArchitectureConfiguration {
    guard !isResolved else { return self }
    let known = family.configuration
    var given: [String: JSON] = [:]
    for (key, value) in json.object ?? [:] where known.synonyms[key] == nil { given[key] = Self.decoded(value) }
    for (key, value) in json.object ?? [:] {
      if let name = known.synonyms[key] { given[name] = Self.decoded(value) }
    }
    var members: [(String, JSON)] = [("model_type", .string(family.modelType))]
    for key in known.keys {
      guard let value = given[key.name] else {
        if key.isRequired { throw fail(key.name, "missing; it must be a whole number") }
        if let fallback = key.fallback { members.append((key.name, fallback)) }
        continue
      }
      if value.isNull, !key.allowsNull { throw fail(key.name, "is null; give a value or leave the key out") }
      if case .only(let values) = key.meaning, !values.contains(value) { throw fail(key.name, Self.refusal(of: value, by: key, values)) }
      if case .quantization = key.meaning, !value.isNull { try requireMethod(of: value, key.name) }
      members.append((key.name, value))
    }
    return ArchitectureConfiguration(.object(JSONObject(members)), source: source, isResolved: true)
  }

  private func requireMethod(of settings: JSON, _ key: String) throws(ArchitectureError) {
    let given = settings["quant_method"]?.string ?? ""
    guard QuantizationMethod(rawValue: given) != nil else {
      let known = QuantizationMethod.allCases.map(\.rawValue).joined(separator: " or ")
      throw fail(
        "\(key): quant_method", "unsupported value \"\(given)\"; it must be \(known), or take the checkpoint as it was before it was quantized")
    }
  }

  private static func refusal(of value: JSON, by key: ConfigurationKey, _ values: [JSON]) -> String {
    let text = value.serialized()
    let shown = text.utf8.count <= 40 ? " \(text)" : ""
    return "unsupported value\(shown); \(key.advice ?? "it must be \(values.map { $0.serialized() }.joined(separator: " or "))")"
  }

  /// Numbers that JSON has no words for, as Transformers writes them: `{"__float__": "Infinity"}`.
  private static func decoded(_ value: JSON) -> JSON {
    if let items = value.array { return .array(items.map(decoded)) }
    guard let members = value.object, members.count == 1, let text = members["__float__"]?.string else { return value }
    switch text {
    case "Infinity": return .number(.infinity)
    case "-Infinity": return .number(-.infinity)
    case "NaN": return .number(.nan)
    default: return value
    }
  }
}
