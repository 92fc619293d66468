extension ConfigTree {
  /// The tree of a value, with a null for every key that is nil.
  public init(encoding value: some Encodable) throws {
    self = try EncodedNode(encoding: value, codingPath: []).tree
  }

  /// Decodes a value whose keys must all be in the tree, and the tree must have no others.
  ///
  /// - Throws: `ConfigError` naming the file, line and key.
  public func decoded<Value: Decodable>(as type: Value.Type = Value.self, at path: [String] = []) throws -> Value {
    do {
      return try TreeDecoder(self, codingPath: path.map { TreeKey($0) }).decode(type)
    } catch let error as DecodingError {
      throw ConfigError(error, in: self, at: path)
    }
  }

  /// Decodes this tree merged over `defaults`: what it leaves out stays as it is there.
  ///
  /// - Parameters:
  ///   - path: The keys that lead to this tree in its file, for messages.
  ///   - sections: Keys of open sections, each with the section it belongs to, for messages about misplaced keys.
  ///   - synonyms: Other programs' names of keys, each with the dotted path of ours, for messages about unknown keys.
  /// - Throws: `ConfigError` for unknown keys, wrong types and impossible values.
  public func decoded<Value: Codable>(
    over defaults: Value, at path: [String] = [], sections: @autoclosure () -> [String: String] = [:], synonyms: [String: String] = [:]
  ) throws -> Value {
    let template = try ConfigTree(encoding: defaults)
    guard mapping != nil || isNull || template.mapping == nil else {
      throw ConfigError(
        location: location, path: path, problem: "expected a section, found \(kindDescription)",
        advice: "write its keys indented below it")
    }
    try rejectUnknownKeys(against: template, sections: sections, synonyms: synonyms, path: path)
    return try merged(over: template).decoded(at: path)
  }
}

extension ConfigTree: Codable {
  public init(from decoder: any Decoder) throws {
    guard let decoder = decoder as? TreeDecoder else {
      throw DecodingError.dataCorrupted(
        .init(codingPath: decoder.codingPath, debugDescription: "only a ConfigTree holds a ConfigTree"))
    }
    self = decoder.takeWhole()
  }

  public func encode(to encoder: any Encoder) throws {
    throw EncodingError.invalidValue(
      self, .init(codingPath: encoder.codingPath, debugDescription: "only a ConfigTree holds a ConfigTree"))
  }
}

extension ConfigError {
  /// An error of a type's own `init(from:)`, placed where its key was written.
  fileprivate init(_ error: DecodingError, in tree: ConfigTree, at prefix: [String]) {
    let (context, problem): (DecodingError.Context, String) =
      switch error {
      case .keyNotFound(let key, let context): (context, "missing key '\(key.stringValue)'")
      case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
        (context, context.debugDescription)
      @unknown default: (.init(codingPath: [], debugDescription: ""), "\(error)")
      }
    let path = context.codingPath.map(\.stringValue)
    self.init(
      location: tree.location(at: path.dropFirst(prefix.count)), path: path, problem: problem,
      advice: "correct the value")
  }
}

struct TreeKey: CodingKey {
  var stringValue: String
  var intValue: Int?

  init(_ name: String) { stringValue = name }
  init(stringValue: String) { self.init(stringValue) }
  init(intValue: Int) { (stringValue, self.intValue) = ("\(intValue)", intValue) }
}
