import Foundation
import GraftJSON
import GraftTestSupport
import GraftTokenizers
import Testing

/// Tokens of the files beside `tokenizer.json`; the ids are those that `AutoTokenizer` of Transformers 5.23 gives.
@Suite struct AddedTokenTests {
  private func tokenizer(_ configuration: JSON, _ map: JSON? = nil) throws -> Tokenizer {
    try Tokenizer(
      json: Fixtures("GraftTokenizersTests").json("byte-level/tokenizer.json"),
      configuration: TokenizerConfiguration(configuration: configuration, specialTokensMap: map),
      source: "tokenizer.json")
  }

  private func listed(_ id: String, _ content: String, _ changes: JSON = [:]) -> JSON {
    var token: JSON = ["content": .string(content), "lstrip": false, "rstrip": false, "normalized": false, "single_word": false, "special": false]
    for (key, value) in changes.object ?? [:] { token[key] = value }
    return .object(JSONObject([(id, token)]))
  }

  @Test func specialTokensThatAreMissingAreAddedInOrder() throws {
    let tokenizer = try tokenizer(["eos_token": "<zzz>", "extra_special_tokens": ["<q>"], "image_token": "<img>"])
    #expect(tokenizer.vocabularySize == 425)
    #expect(tokenizer.encode("a<zzz><q><img>") == [1, 68, 422, 424, 423, 2])
    #expect(tokenizer.isSpecial(424) && tokenizer.endOfSequenceID == 422)
  }

  @Test func theMapOfSpecialTokensAddsItsOwn() throws {
    let tokenizer = try tokenizer(["eos_token": "</s>", "bos_token": "<s>"], ["eos_token": "other", "pad_token": "<pad>"])
    #expect(tokenizer.encode("x<s>other") == [1, 91, 1, 422, 2])
    #expect(tokenizer.vocabularySize == 423)
  }

  @Test func listedTokensAreKnown() throws {
    let tokenizer = try tokenizer(["eos_token": "</s>", "added_tokens_decoder": listed("5", "<new>")])
    #expect(tokenizer.encode("x<new></s>y") == [1, 91, 422, 2, 92, 2])
    #expect(!tokenizer.isSpecial(422))
  }

  @Test func listedFlagsReplaceThoseOfTheFile() throws {
    let tokenizer = try tokenizer(["added_tokens_decoder": listed("2", "</s>", ["rstrip": true])])
    #expect(tokenizer.encode("x</s>   y a") == [1, 91, 2, 92, 268, 2])
  }
}
