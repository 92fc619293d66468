import Foundation

/// Reads text files: UTF-8, with or without a byte order mark, whoever wrote them.
public enum TextFile {
  /// The text of a file, without its byte order mark.
  ///
  /// - Throws: `FileError`, with the line of a byte that is not UTF-8.
  public static func text(of path: String) throws(FileError) -> String {
    String(decoding: try bytes(of: path), as: UTF8.self)
  }

  /// The bytes of a text file, checked to be UTF-8, without its byte order mark.
  ///
  /// - Throws: `FileError`, with the line of a byte that is not UTF-8.
  public static func bytes(of path: String) throws(FileError) -> ArraySlice<UInt8> {
    try checked(InputFile.bytes(of: path), of: path)
  }

  /// Bytes checked to be UTF-8, without their byte order mark.
  ///
  /// - Throws: `FileError`, with the line of a byte that is not UTF-8.
  package static func checked(_ bytes: [UInt8], of path: String) throws(FileError) -> ArraySlice<UInt8> {
    let bytes = withoutMark(bytes)
    if let bad = firstInvalidByte(of: bytes) {
      throw .notUTF8(path, byte: bytes[bad], line: lineNumber(of: bad, in: bytes))
    }
    return bytes
  }

  /// The line on which a byte stands, counted from 1.
  public static func lineNumber(of position: Int, in bytes: ArraySlice<UInt8>) -> Int {
    bytes[..<position].reduce(1) { $0 + ($1 == UInt8(ascii: "\n") ? 1 : 0) }
  }

  /// The same bytes without the byte order mark that some editors put in front of a text.
  public static func withoutMark<Bytes: RandomAccessCollection<UInt8>>(_ bytes: Bytes) -> Bytes.SubSequence {
    bytes.dropFirst(bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0)
  }

  /// The index of the first byte that no UTF-8 text has there; nil for UTF-8 text.
  private static func firstInvalidByte(of bytes: ArraySlice<UInt8>) -> Int? {
    guard String(validating: bytes, as: UTF8.self) == nil else { return nil }
    var decoder = UTF8.ForwardParser()
    var iterator = bytes.makeIterator()
    var position = bytes.startIndex
    while true {
      switch decoder.parseScalar(from: &iterator) {
      case .valid(let scalar): position += scalar.count
      case .emptyInput: return nil
      case .error: return position
      }
    }
  }
}
