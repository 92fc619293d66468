import GraftErrors
import GraftFiles
import GraftJSON

/// A tokenizer that cannot be read.
public struct TokenizerError: UserError, Equatable {
  /// `WHERE: WHAT; HOW TO FIX`.
  public let description: String
  /// The failure of reading the file, where it was that.
  public let cause: FileError?

  public var status: ErrorStatus { cause?.status ?? .malformedInput }

  /// - Parameters:
  ///   - place: the file, and the key in it where that helps.
  ///   - problem: the fault.
  ///   - fix: the remedy.
  public init(_ place: String, _ problem: String, fix: String) {
    description = "\(place): \(problem); \(fix)"
    cause = nil
  }

  /// The error for a file that is there and cannot be read.
  init(_ error: FileError) {
    description = error.description
    cause = error
  }
}

/// A part of `tokenizer.json` with the words for what is wrong in it.
struct Component {
  let json: JSON
  /// The kind of component in messages: "normalizer", "pre-tokenizer", ...
  let kind: String
  let source: String

  /// The name in `type`.
  var type: String { json["type"]?.string ?? "" }

  func error(_ problem: String, fix: String = "repair the file or download it again") -> TokenizerError {
    TokenizerError(source, problem, fix: fix)
  }

  /// The error for a component that this package does not know.
  func unknown() -> TokenizerError {
    error("unknown \(kind) \"\(type)\"", fix: "convert the tokenizer to components of the tokenizers library")
  }

  func string(_ key: String) throws(TokenizerError) -> String {
    guard let value = json[key]?.string else { throw error("\(kind) \(type) has no string \"\(key)\"") }
    return value
  }

  func bool(_ key: String, default standard: Bool) -> Bool { json[key]?.bool ?? standard }

  /// The one scalar of a string member.
  func scalar(_ key: String) throws(TokenizerError) -> Unicode.Scalar {
    let value = try string(key)
    guard value.unicodeScalars.count == 1, let scalar = value.unicodeScalars.first else {
      throw error("\(kind) \(type): \"\(key)\" is not one character")
    }
    return scalar
  }

  /// The components listed under `key`.
  func components(_ key: String) throws(TokenizerError) -> [Component] {
    guard let elements = json[key]?.array else { throw error("\(kind) \(type) has no list \"\(key)\"") }
    return elements.map { Component(json: $0, kind: kind, source: source) }
  }
}
