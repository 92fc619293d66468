import Foundation
import GraftTestSupport
import GraftTokenizers
import Testing

/// The vocabulary of RWKV's World models: greedy, over bytes.
@Suite struct WorldTokenizerTests {
  /// All bytes as published, in ids 1 to 256, and some longer tokens.
  private static let lines: [String] = {
    let bytes = (0..<256).map { byte in
      byte < 128 ? "\(byte + 1) '\\x\(byte < 16 ? "0" : "")\(String(byte, radix: 16))' 1" : "\(byte + 1) b'\\x\(String(byte, radix: 16))' 1"
    }
    return bytes + [
      #"257 '\n\n' 2"#, #"258 'ab' 2"#, #"259 'abcd' 4"#, #"260 " don't" 6"#, #"261 b'\xe2\x82' 2"#, #"262 '€' 3"#, #"263 '\u2028' 3"#,
      #"264 '\x85' 2"#, #"265 'a b' 3"#, #"266 "\\'" 2"#,
    ]
  }()

  private func tokenizer(_ lines: [String], _ configuration: String? = nil) throws -> Tokenizer {
    let folder = try folder(lines, configuration)
    return try withExtendedLifetime(folder) { try Tokenizer(directory: folder.url) }
  }

  private func folder(_ lines: [String], _ configuration: String? = nil) throws -> TemporaryDirectory {
    let folder = try TemporaryDirectory()
    try lines.joined(separator: "\n").write(to: folder.url.appending(path: "rwkv_vocab_v20230424.txt"), atomically: true, encoding: .utf8)
    try configuration?.write(to: folder.url.appending(path: "tokenizer_config.json"), atomically: true, encoding: .utf8)
    return folder
  }

  @Test(arguments: [
    ("abcd", [259]), ("abce", [258, 100, 102]), ("xa b\n\n\n", [121, 265, 257, 11]), ("I don't", [74, 260]), ("€", [262]),
    ("₭", [261, 174]), ("\u{2028}\u{85}", [263, 264]), ("\\'", [266]), ("", []),
  ])
  func `the longest token is taken at every place`(_ text: String, _ ids: [Int32]) throws {
    let tokenizer = try tokenizer(Self.lines)
    #expect(tokenizer.encode(text) == ids)
    #expect(tokenizer.decode(ids) == text)
  }

  @Test func `token 0 is the beginning of a sequence, and stands between texts`() throws {
    let tokenizer = try tokenizer(Self.lines, #"{"bos_token": "<|rwkv_tokenizer_end_of_text|>", "eos_token": "\n\n"}"#)
    #expect(tokenizer.beginningOfSequenceID == 0)
    #expect(tokenizer.encode("ab<|rwkv_tokenizer_end_of_text|>ab") == [258, 0, 258])
    #expect(tokenizer.decode([258, 0]) == "ab")
    #expect(tokenizer.vocabularySize == 267)
  }

  @Test(arguments: [
    #"{"bos_token": "<|rwkv_tokenizer_end_of_text|>", "eos_token": "\n\n"}"#,
    #"{"added_tokens_decoder": {"257": {"content": "\n\n", "special": true}}, "eos_token": "\n\n"}"#,
  ])
  func `a blank line that ends an answer is a token of the file in a text`(_ configuration: String) throws {
    let tokenizer = try tokenizer(Self.lines, configuration)
    #expect(tokenizer.endOfSequenceID == 257)
    let text = "ab\n\nabcd\n\n\n"
    #expect(tokenizer.encode(text) == [258, 257, 259, 257, 11])
    #expect(tokenizer.decode([258, 257, 259, 257, 11]) == text)
    #expect(!tokenizer.isSpecial(257))
    #expect(tokenizer.vocabularySize == 267)
  }

  @Test func `an end that the file does not have is added behind its tokens`() throws {
    let tokenizer = try tokenizer(Self.lines, #"{"eos_token": "<end>"}"#)
    #expect(tokenizer.endOfSequenceID == 267)
    #expect(tokenizer.encode("ab<end>") == [258, 267])
    #expect(tokenizer.decode([258, 267]) == "ab")
  }

  @Test func `lines may end in CR LF`() throws {
    let tokenizer = try tokenizer([Self.lines.joined(separator: "\r\n")])
    #expect(tokenizer.encode("abcd\n\n") == [259, 257])
  }

  @Test func `it cannot grow`() throws {
    let folder = try folder(Self.lines)
    let error = #expect(throws: TokenizerError.self) { try ExtendedTokenizer(directory: folder.url, adding: ["<new>"]) }
    #expect(error?.description.contains("new_tokens: a vocabulary without tokenizer.json cannot grow; leave it out") == true)
  }

  @Test(arguments: ["\n", "\r\n"])
  func `empty lines count`(_ end: String) throws {
    let error = #expect(throws: TokenizerError.self) { try tokenizer(["1 'a' 1\(end)\(end)x"]) }
    #expect(error?.description.contains("rwkv_vocab_v20230424.txt:3") == true)
  }

  @Test(arguments: ["x 'a' 1", "1 'a' 2", "1 'a 1", "1 '' 0", #"1 '\q' 1"#, #"1 b'\u0100' 1"#, "0 'a' 1", "1 a 1", #"1 '\x1' 1"#, "99999999 'a' 1"])
  func `a damaged line is named`(_ line: String) throws {
    let error = #expect(throws: TokenizerError.self) { try tokenizer(["1 'a' 1", line]) }
    #expect(error?.description.contains("rwkv_vocab_v20230424.txt:2") == true)
  }
}
