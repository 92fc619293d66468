import Foundation
import GraftJSON
import GraftTestSupport
import GraftTokenizers
import Testing

/// The vocabulary of the first Qwen, and what tiktoken does with such a file, as `Scripts/make-tiktoken-goldens.py` writes it.
@Suite struct TiktokenTests {
  private func tokenizer(_ lines: [String], _ configuration: String? = nil) throws -> Tokenizer {
    let folder = try TemporaryDirectory()
    try lines.joined(separator: "\n").write(to: folder.url.appending(path: "qwen.tiktoken"), atomically: true, encoding: .utf8)
    try configuration?.write(to: folder.url.appending(path: "tokenizer_config.json"), atomically: true, encoding: .utf8)
    return try withExtendedLifetime(folder) { try Tokenizer(directory: folder.url) }
  }

  private static let allBytes = (UInt8.min...UInt8.max).map { "\(Data([$0]).base64EncodedString()) \($0)" }

  @Test func `encodes and decodes like the reference`() throws {
    let fixture = try Fixture("tiktoken")
    #expect(fixture.rows.count > 40)
    for row in fixture.rows {
      let text = try #require(row["text"]?.string)
      let ids = row["ids"]?.tokenIDs ?? []
      #expect(fixture.tokenizer.encode(text) == ids, "\(text.debugDescription)")
      #expect(bytes(fixture.tokenizer.decode(ids, skippingSpecialTokens: false)) == row["decoded"]?.string.map(bytes), "\(text.debugDescription)")
      #expect(bytes(fixture.tokenizer.decode(ids)) == row["decoded_without_special"]?.string.map(bytes), "\(text.debugDescription)")
    }
    #expect(fixture.tokenizer.vocabularySize == fixture.vocabularySize)
  }

  @Test func `its special tokens stand behind the file's`() throws {
    let tokenizer = try tokenizer(Self.allBytes)
    #expect(tokenizer.endOfSequenceID == 256 && tokenizer.id(for: "<|im_end|>") == 258 && tokenizer.id(for: "<|extra_204|>") == 463)
    #expect(tokenizer.vocabularySize == 464)
    #expect(tokenizer.isSpecial(256) && tokenizer.isSpecial(463) && !tokenizer.isSpecial(255))
    #expect(try self.tokenizer(Self.allBytes, #"{"eos_token": "<|im_end|>"}"#).endOfSequenceID == 258)
  }

  @Test func `conversations are written in ChatML where the files have no template`() throws {
    #expect(try tokenizer(Self.allBytes).configuration.chatTemplates["default"]?.contains("<|im_start|>") == true)
    #expect(try tokenizer(Self.allBytes, #"{"chat_template": "own"}"#).configuration.chatTemplates == ["default": "own"])
  }

  @Test func `lines may end in CR LF`() throws {
    #expect(try tokenizer(Self.allBytes.map { $0 + "\r" }).encode("ab") == [97, 98])
  }

  @Test(arguments: ["YQ== 256", "YWI=", "YWI= x", "YWI=  256", "YWI 256", " 256", "YWI= -1", "YWI= 99999999"])
  func `a damaged line is named`(_ line: String) throws {
    let error = #expect(throws: TokenizerError.self) { try tokenizer(Self.allBytes + [line]) }
    #expect(error?.description.contains("qwen.tiktoken:257: is not a new token in base64 with its rank") == true, "\(error?.description ?? "")")
  }

  @Test func `ranks leave no hole, and every byte is a token`() throws {
    let hole = #expect(throws: TokenizerError.self) { try tokenizer(Self.allBytes + ["YWI= 300"]) }
    #expect(hole?.description.contains("its ranks are not those from 0 to 256") == true)
    let missing = #expect(throws: TokenizerError.self) { try tokenizer(["YWI= 0"]) }
    #expect(missing?.description.contains("has no token for the byte 0") == true)
  }
}
