import Foundation
import GraftJSON
import GraftTestSupport
import GraftTokenizers
import Testing

@Suite struct TokenizerConfigurationTests {
  @Test func readsTokensAsTextOrObject() {
    let configuration = TokenizerConfiguration(
      configuration: [
        "bos_token": "<s>", "eos_token": ["content": "</s>", "lstrip": false], "pad_token": .null, "add_bos_token": true,
        "model_max_length": 1e30, "padding_side": "left", "tokenizer_class": "LlamaTokenizer", "added_tokens_decoder": [:],
        "image_token": "<i>",
      ], specialTokensMap: ["pad_token": "<pad>", "eos_token": "other", "additional_special_tokens": ["<a>", ["content": "<b>"]]])
    #expect(configuration.bosToken == "<s>")
    #expect(configuration.eosToken == "</s>")
    #expect(configuration.padToken == "<pad>")
    #expect(configuration.maskToken == nil)
    #expect(configuration.additionalSpecialTokens == ["<a>", "<b>"])
    #expect(configuration.addsBeginningToken == true)
    #expect(configuration.addsEndToken == nil)
    #expect(configuration.maximumLength == nil)
    #expect(configuration.padsLeft == true)
    #expect(configuration.namedSpecialTokens == ["bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "image_token": "<i>"])
  }

  /// As `AutoTokenizer` of Transformers 5.23 reads the same files.
  @Test func theSpecialTokensMapWinsUnlessAllTokensAreListed() {
    let map: JSON = ["eos_token": "other", "pad_token": "<pad>"]
    let older = TokenizerConfiguration(configuration: ["eos_token": "</s>", "bos_token": "<s>"], specialTokensMap: map)
    #expect([older.bosToken, older.eosToken, older.padToken] == ["<s>", "other", "<pad>"])
    let newer = TokenizerConfiguration(configuration: ["eos_token": "</s>", "added_tokens_decoder": [:]], specialTokensMap: map)
    #expect(newer.eosToken == "</s>")
  }

  @Test func templatesInFilesReplaceThoseInTheConfiguration() throws {
    let directory = try TemporaryDirectory()
    let listed = #"{"chat_template": [{"name": "default", "template": "D"}, {"name": "tool_use", "template": "U"}]}"#
    try directory.write(listed.utf8, to: "tokenizer_config.json")
    let configured = try TokenizerConfiguration(directory: directory.url)
    #expect(configured.chatTemplate(withTools: true) == "U" && configured.chatTemplate(withTools: false) == "D")
    try directory.write("A".utf8, to: "additional_chat_templates/rag.jinja")
    let additional = try TokenizerConfiguration(directory: directory.url)
    #expect(additional.chatTemplates == ["rag": "A"])
    #expect(additional.chatTemplate(withTools: true) == nil)
    try directory.write([0xEF, 0xBB, 0xBF] + "N".utf8, to: "chat_template.jinja")
    #expect(try TokenizerConfiguration(directory: directory.url).chatTemplates == ["rag": "A", "default": "N"])
    try directory.write([0xFF], to: "chat_template.jinja")
    #expect(throws: TokenizerError.self) { try TokenizerConfiguration(directory: directory.url) }
  }

  @Test func readsChatTemplates() throws {
    #expect(TokenizerConfiguration(configuration: ["chat_template": "T"]).chatTemplate == "T")
    let listed = TokenizerConfiguration(configuration: [
      "model_max_length": 512,
      "chat_template": [["name": "default", "template": "D"], ["name": "tool_use", "template": "U"]],
    ])
    #expect(listed.chatTemplate == "D")
    #expect(listed.chatTemplates == ["default": "D", "tool_use": "U"])
    #expect(listed.maximumLength == 512)

    let directory = try TemporaryDirectory()
    try directory.write(#"{"chat_template": "old", "bos_token": "<s>"}"#.utf8, to: "tokenizer_config.json")
    #expect(try TokenizerConfiguration(directory: directory.url).chatTemplate == "old")
    try directory.write("new".utf8, to: "chat_template.jinja")
    #expect(try TokenizerConfiguration(directory: directory.url).chatTemplate == "new")
    try directory.write("{".utf8, to: "special_tokens_map.json")
    #expect(throws: TokenizerError.self) { try TokenizerConfiguration(directory: directory.url) }
  }

  @Test func findsTheIDsOfItsTokens() throws {
    var configuration = TokenizerConfiguration()
    configuration.bosToken = "<s>"
    configuration.eosToken = "</s>"
    configuration.padToken = "missing"
    let tokenizer = try Tokenizer(
      json: [
        "added_tokens": [["id": 3, "content": "</s>", "special": true]],
        "model": ["type": "WordLevel", "unk_token": "a", "vocab": ["a": 0, "<s>": 1, "\u{E9}": 2]],
      ], configuration: configuration, source: "tokenizer.json")
    #expect(tokenizer.beginningOfSequenceID == 1)
    #expect(tokenizer.endOfSequenceID == 3)
    #expect(tokenizer.paddingID == nil)
    #expect(tokenizer.vocabularySize == 4)
    #expect(tokenizer.id(for: "e\u{301}") == nil, "canonically equivalent texts are different tokens")
  }
}
