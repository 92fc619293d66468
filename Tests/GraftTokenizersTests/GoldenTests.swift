import Foundation
import GraftJSON
import GraftTestSupport
import GraftTokenizers
import Testing

/// A small tokenizer with what the reference library makes of some texts, as `Scripts/make-tokenizer-goldens.py` writes them.
struct Fixture: Sendable {
  let tokenizer: Tokenizer
  let vocabularySize: Int?
  let rows: [JSON]

  init(_ name: String) throws {
    let fixtures = Fixtures("GraftTokenizersTests")
    tokenizer = try Tokenizer(directory: fixtures.file(name))
    let goldens = try fixtures.json("\(name)/goldens.json")
    vocabularySize = goldens["vocabulary_size"]?.int
    rows = goldens["rows"]?.array ?? []
  }

  static let names = [
    "byte-level", "byte-level-prefix", "byte-level-normalizer", "llama-2", "llama-3", "mistral", "word-suffix",
    "word-piece", "word-level", "unigram", "unigram-bytes", "unicode-scripts",
  ]
}

/// Texts are compared by their bytes: as `String`s, "é" composed and "é" decomposed are equal.
func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

private func integers(_ json: JSON?) -> [Int32] { json?.tokenIDs ?? [] }

@Suite struct GoldenTests {
  @Test(arguments: Fixture.names)
  func encodesLikeTheReference(name: String) throws {
    let fixture = try Fixture(name)
    #expect(fixture.rows.count > 40)
    for row in fixture.rows {
      let text = try #require(row["text"]?.string)
      let encoding = fixture.tokenizer.encoding(of: text, pair: row["pair"]?.string)
      #expect(encoding.ids == integers(row["ids"]), "\(text.debugDescription)")
      #expect(encoding.typeIDs == integers(row["types"]), "\(text.debugDescription)")
      #expect(encoding.specialTokensMask == integers(row["special"]).map { $0 == 1 }, "\(text.debugDescription)")
      #expect(
        encoding.tokens.map(bytes) == (row["tokens"]?.array ?? []).compactMap { $0.string.map(bytes) },
        "\(text.debugDescription)")
      #expect(fixture.tokenizer.encode(text, addingSpecialTokens: false) == integers(row["plain"]))
      if row["pair"] == nil { #expect(fixture.tokenizer.encode(text) == encoding.ids) }
    }
  }

  @Test(arguments: Fixture.names)
  func decodesLikeTheReference(name: String) throws {
    let fixture = try Fixture(name)
    for row in fixture.rows {
      let plain = fixture.tokenizer.decode(integers(row["plain"]), skippingSpecialTokens: false)
      #expect(bytes(plain) == row["decoded"]?.string.map(bytes))
      let text = fixture.tokenizer.decode(integers(row["ids"]))
      #expect(bytes(text) == row["decoded_without_special"]?.string.map(bytes))
    }
  }

  @Test(arguments: Fixture.names)
  func knowsItsVocabulary(name: String) throws {
    let fixture = try Fixture(name)
    let tokenizer = fixture.tokenizer
    #expect(tokenizer.vocabularySize == fixture.vocabularySize)
    for id in 0..<100 {
      let token = try #require(tokenizer.token(for: Int32(id)))
      #expect(tokenizer.id(for: token) == Int32(id))
    }
    #expect(tokenizer.token(for: Int32(tokenizer.vocabularySize)) == nil)
    #expect(tokenizer.token(for: -1) == nil)
    #expect(tokenizer.id(for: "no such token") == nil)
    #expect((0..<4).allSatisfy { tokenizer.isSpecial($0) })
    #expect(!tokenizer.isSpecial(4))
  }

  @Test(arguments: ["byte-level", "llama-2", "llama-3", "mistral", "unigram", "word-piece"])
  func streamsWhatItDecodes(name: String) throws {
    let fixture = try Fixture(name)
    for row in fixture.rows {
      let ids = integers(row["ids"])
      var decoder = fixture.tokenizer.makeStreamingDecoder()
      var text = ""
      for id in ids {
        let part = decoder.append(id)
        #expect(!part.hasSuffix("\u{FFFD}"))
        text += part
      }
      text += decoder.finish()
      #expect(bytes(text) == bytes(fixture.tokenizer.decode(ids)))
    }
  }

  @Test func encodesTheSameFromManyTasks() async throws {
    let fixture = try Fixture("llama-3")
    await withTaskGroup(of: Bool.self) { group in
      for _ in 0..<8 {
        group.addTask {
          fixture.rows.allSatisfy { row in
            row["pair"] != nil || fixture.tokenizer.encode(row["text"]?.string ?? "") == integers(row["ids"])
          }
        }
      }
      for await agrees in group { #expect(agrees) }
    }
  }
}
