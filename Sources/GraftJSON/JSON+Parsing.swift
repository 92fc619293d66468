/// The extensions of RFC 8259 that a JSON parser accepts, and the depth to which it goes.
public struct JSONParsingOptions: Sendable {
  /// True where the last of several members of one name wins; otherwise they are an error.
  public var allowsDuplicateKeys = false
  /// True where the words `NaN`, `Infinity` and `-Infinity` are numbers, as Python's `json` writes them.
  public var allowsNonFiniteNumbers = false
  /// The number of arrays and objects that may be nested.
  public var maximumDepth = 128

  /// Strict JSON, unless something is allowed.
  public init(allowsDuplicateKeys: Bool = false, allowsNonFiniteNumbers: Bool = false, maximumDepth: Int = 128) {
    self.allowsDuplicateKeys = allowsDuplicateKeys
    self.allowsNonFiniteNumbers = allowsNonFiniteNumbers
    self.maximumDepth = maximumDepth
  }
}

extension JSON {
  /// Parses one JSON document (RFC 8259): UTF-8, no duplicate keys, nothing but white space after it.
  ///
  /// - Throws: `JSONError` with the line and column of the first mistake.
  public init(parsing bytes: UnsafeRawBufferPointer, options: JSONParsingOptions = JSONParsingOptions())
    throws(JSONError)
  {
    var parser = JSONParser(bytes, options)
    self = try parser.parseDocument()
  }

  /// Parses one JSON document from any bytes: an array, `Data`, a slice.
  ///
  /// - Throws: `JSONError` with the line and column of the first mistake.
  public init(parsing bytes: some Sequence<UInt8>, options: JSONParsingOptions = JSONParsingOptions()) throws(JSONError) {
    let result = bytes.withContiguousStorageIfAvailable { Self.parse(UnsafeRawBufferPointer($0), options) }
    self = try (result ?? Array(bytes).withUnsafeBytes { Self.parse($0, options) }).get()
  }

  /// Parses one JSON document from text.
  ///
  /// - Throws: `JSONError` with the line and column of the first mistake.
  public init(parsing text: String, options: JSONParsingOptions = JSONParsingOptions()) throws(JSONError) {
    var text = text
    self = try text.withUTF8 { Self.parse(UnsafeRawBufferPointer($0), options) }.get()
  }

  private static func parse(
    _ bytes: UnsafeRawBufferPointer, _ options: JSONParsingOptions
  ) -> Result<JSON, JSONError> {
    Result { () throws(JSONError) in try JSON(parsing: bytes, options: options) }
  }
}
