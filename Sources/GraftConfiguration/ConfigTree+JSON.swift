import GraftJSON

extension ConfigTree {
  /// The same document; errors about it name `file`.
  public init(_ json: JSON, file: String? = nil) {
    let location = file.map { ConfigLocation(file: $0, line: 0, column: 0) }
    switch json {
    case .array(let elements): self.init(.sequence(elements.map { ConfigTree($0, file: file) }), location: location)
    case .object(let members):
      var mapping = ConfigMapping()
      for (key, value) in members { mapping.set(key, to: ConfigTree(value, file: file), keyLocation: location) }
      self.init(.mapping(mapping), location: location)
    default: self.init(.scalar(json.scalar ?? .null), location: location)
    }
  }

  /// The same document, without its places.
  public var json: JSON {
    switch value {
    case .scalar(let scalar): JSON(scalar)
    case .sequence(let elements): .array(elements.map(\.json))
    case .mapping(let mapping): .object(JSONObject(mapping.entries.map { ($0.key, $0.value.json) }))
    }
  }
}
