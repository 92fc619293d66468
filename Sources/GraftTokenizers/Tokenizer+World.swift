import Foundation
import GraftFiles
import GraftJSON

/// The vocabulary of RWKV's World models, a file of its own in the place of `tokenizer.json`: a line for each token, with its id, its
/// text as Python writes it, and its number of bytes.
extension Tokenizer {
  /// The file's name, by which it is found.
  static let worldVocabularyName = "rwkv_vocab_v20230424.txt"
  /// The token of id 0 where the configuration names no beginning of a sequence: it stands between texts and is in no file.
  private static let endOfText = "<|rwkv_tokenizer_end_of_text|>"

  /// The parts of the tokenizer of a directory that has a World vocabulary; nil where there is none.
  /// - Throws: `TokenizerError` for a line that is damaged.
  static func worldParts(
    in directory: URL, _ configuration: TokenizerConfiguration
  ) throws(TokenizerError) -> TokenizerParts? {
    let path = directory.appending(path: worldVocabularyName).path(percentEncoded: false)
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    let text: String
    do { text = try TextFile.text(of: path) } catch { throw TokenizerError(error) }
    var tokens: [(bytes: [UInt8], id: Int)] = []
    // CR LF is one character, and the last line may end in CR alone.
    let lines = text.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" || $0 == "\r" }
    for (number, line) in lines.enumerated() where !line.isEmpty {
      guard let token = worldToken(line) else {
        throw TokenizerError("\(path):\(number + 1)", "is not a token with its id and its length", fix: "take the file from the model's publisher")
      }
      tokens.append(token)
    }
    let start = configuration.bosToken ?? endOfText
    let model = LongestMatchModel(tokens, others: [(Array(start.utf8), 0)])
    // A token of the file stays text where the configuration calls it special, as the published ones do with the blank line that ends an answer.
    let added = configuration.completing([TokenizerConfiguration.specialEntry(of: .string(start))].compactMap(\.self)).filter { entry in
      TokenizerConfiguration.content(entry).map { $0 == start || model.vocabulary.id(of: $0) == nil } ?? false
    }
    return TokenizerParts(
      model: model, addedTokens: try AddedTokens(.array(added), model: model.vocabulary, normalizer: nil, source: path), decoder: FuseDecoder())
  }

  /// `ID TEXT LENGTH`, with `'...'` or `"..."`, or `b'...'` for bytes that are no text.
  private static func worldToken(_ line: Substring) -> (bytes: [UInt8], id: Int)? {
    guard let first = line.firstIndex(of: " "), let last = line.lastIndex(of: " "), first < last, let id = Int(line[..<first]),
      (1..<1 << 24).contains(id), let length = Int(line[line.index(after: last)...]),
      let bytes = pythonLiteral(line[line.index(after: first)..<last]), !bytes.isEmpty, bytes.count == length, length <= ByteTrie.longestKey
    else { return nil }
    return (bytes, id)
  }

  /// The bytes of a literal of Python, of a text in UTF-8; nil where it is none.
  private static func pythonLiteral(_ literal: Substring) -> [UInt8]? {
    let isBytes = literal.first == "b"
    var rest = Substring(isBytes ? literal.dropFirst() : literal).unicodeScalars
    guard let quote = rest.popFirst(), quote == "'" || quote == "\"", rest.popLast() == quote else { return nil }
    var bytes: [UInt8] = []
    while let scalar = rest.popFirst() {
      guard scalar == "\\" else {
        bytes += Array(String(scalar).utf8)
        continue
      }
      guard let escape = rest.popFirst() else { return nil }
      switch escape {
      case "n": bytes.append(0x0A)
      case "r": bytes.append(0x0D)
      case "t": bytes.append(0x09)
      case "\\", "'", "\"": bytes.append(UInt8(ascii: escape))
      case "x", "u", "U":
        let digits = escape == "x" ? 2 : escape == "u" ? 4 : 8
        guard rest.count >= digits, let value = UInt32(String(String.UnicodeScalarView(rest.prefix(digits))), radix: 16) else { return nil }
        rest = rest.dropFirst(digits)
        if isBytes {
          guard let byte = UInt8(exactly: value) else { return nil }
          bytes.append(byte)
        } else {
          guard let scalar = Unicode.Scalar(value) else { return nil }
          bytes += Array(String(scalar).utf8)
        }
      default: return nil
      }
    }
    return bytes
  }
}
