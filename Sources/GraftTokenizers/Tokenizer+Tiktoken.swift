import Foundation
import GraftFiles
import GraftJSON
import GraftRegularExpressions

/// The vocabulary of Qwen, the first of the name, a file of its own in the place of `tokenizer.json`: a line for each token, with its bytes
/// in base64 and its rank, as tiktoken reads them.
extension Tokenizer {
  /// The file's name, by which it is found.
  static let tiktokenVocabularyName = "qwen.tiktoken"

  /// The pieces of a text, which tokens do not go beyond: those of GPT-4's tokenizer, but for digits, which stand alone.
  private static let pieces =
    #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
  /// The tokens behind those of the file, which no file names.
  private static let specials = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"] + (0..<205).map { "<|extra_\($0)|>" }
  /// ChatML, in which the published models were taught to talk.
  private static let chatTemplate = """
    {% for message in messages %}{% if loop.first and message['role'] != 'system' %}{{ '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}{% endif %}\
    {{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}\
    {% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}
    """

  /// The parts of the tokenizer of a directory that has such a vocabulary; nil where there is none.
  /// - Parameter configuration: gets the token that ends a text and the template of conversations where the files name none.
  /// - Throws: `TokenizerError` for a line that is damaged, and for a file that lacks a rank or a byte.
  static func tiktokenParts(
    in directory: URL, _ configuration: inout TokenizerConfiguration
  ) throws(TokenizerError) -> TokenizerParts? {
    let path = directory.appending(path: tiktokenVocabularyName).path(percentEncoded: false)
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    let model = BytePairEncoding(try rankedTokens(in: path))
    configuration.eosToken = configuration.eosToken ?? specials[0]
    if configuration.chatTemplates.isEmpty { configuration.chatTemplates["default"] = chatTemplate }
    // They are looked for in texts whose characters are composed, as everything else is.
    let entries = specials.map { content -> JSON in ["id": 0, "content": .string(content), "normalized": true, "special": true] }
    let normalizer = UnicodeNormalizer(form: .nfc)
    let added = try AddedTokens(.array(configuration.completing(entries)), model: model.vocabulary, normalizer: normalizer, source: path)
    let pattern: RegularExpression
    do { pattern = try RegularExpression(pieces) } catch { throw TokenizerError(path, error.description, fix: "report it") }
    let splitting = PreTokenizerSequence(steps: [SplitPreTokenizer(pattern: pattern, behavior: .isolated), ByteLevelPreTokenizer()])
    return TokenizerParts(model: model, addedTokens: added, normalizer: normalizer, preTokenizer: splitting, decoder: ByteLevelDecoder())
  }

  /// The tokens of a file, whose ranks are all numbers from 0.
  private static func rankedTokens(in path: String) throws(TokenizerError) -> [RankedToken] {
    let text: ArraySlice<UInt8>
    do { text = try TextFile.bytes(of: path) } catch { throw TokenizerError(error) }
    var tokens: [RankedToken] = []
    var known = ByteStringTable()
    for (number, line) in text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
      let line = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
      if line.isEmpty { continue }
      guard let token = rankedToken(line), token.bytes.withUnsafeBufferPointer({ known.insert($0) }) == tokens.count else {
        throw TokenizerError("\(path):\(number + 1)", "is not a new token in base64 with its rank", fix: "take the file from the model's publisher")
      }
      tokens.append(token)
    }
    guard Set(tokens.map(\.rank)) == Set(tokens.indices) else {
      throw TokenizerError(path, "its ranks are not those from 0 to \(tokens.count - 1)", fix: "take the file from the model's publisher")
    }
    let bytes = Set(tokens.filter { $0.bytes.count == 1 }.map { $0.bytes[0] })
    if let byte = (UInt8.min...UInt8.max).first(where: { !bytes.contains($0) }) {
      throw TokenizerError(path, "has no token for the byte \(byte)", fix: "take the file from the model's publisher")
    }
    return tokens
  }

  private static func rankedToken(_ line: ArraySlice<UInt8>) -> RankedToken? {
    let parts = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
    guard parts.count == 2, let rank = Int(String(decoding: parts[1], as: UTF8.self)), (0..<1 << 24).contains(rank),
      let bytes = Data(base64Encoded: Data(parts[0])), !bytes.isEmpty, bytes.count <= ByteTrie.longestKey
    else { return nil }
    return (Array(bytes), rank)
  }
}
