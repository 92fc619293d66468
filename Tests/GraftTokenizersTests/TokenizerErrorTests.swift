import Foundation
import GraftJSON
import GraftTestSupport
import GraftTokenizers
import Testing

@Suite struct TokenizerErrorTests {
  private static let model: JSON = ["type": "WordLevel", "unk_token": "a", "vocab": ["a": 0]]

  private func message(_ json: JSON) -> String {
    do {
      _ = try Tokenizer(json: json, configuration: TokenizerConfiguration(), source: "some/tokenizer.json")
      return "no error"
    } catch {
      return error.description
    }
  }

  @Test(arguments: [
    ("normalizer", #"unknown normalizer "X""#), ("pre_tokenizer", #"unknown pre-tokenizer "X""#),
    ("post_processor", #"unknown post-processor "X""#), ("decoder", #"unknown decoder "X""#),
    ("model", #"unknown tokenizer model "X""#),
  ])
  func namesUnknownComponents(key: String, expected: String) {
    var json: JSON = ["model": Self.model]
    json[key] = ["type": "X"]
    #expect(message(json).contains(expected))
    #expect(message(json).hasPrefix("some/tokenizer.json: "))
    guard key != "model" else { return }
    let lists = ["normalizer": "normalizers", "pre_tokenizer": "pretokenizers", "post_processor": "processors"]
    json[key] = .object(["type": "Sequence", lists[key] ?? "decoders": [["type": "X"]]])
    #expect(message(json).contains(expected))
  }

  @Test func refusesDamagedModels() {
    #expect(message([:]).contains("there is no \"model\""))
    #expect(message(["model": ["type": "BPE", "vocab": ["a": 0], "merges": [["a", "b"]]]]).contains("merge 0"))
    #expect(message(["model": ["type": "BPE", "vocab": ["a": 0], "merges": ["a"]]]).contains("merge 0"))
    #expect(message(["model": ["type": "BPE", "vocab": ["a": -1], "merges": []]]).contains("id of token \"a\""))
    #expect(message(["model": ["type": "Unigram", "unk_id": 3, "vocab": [["a", 0.0]]]]).contains("unk_id 3"))
    #expect(message(["model": Self.model]) == "no error")
  }

  /// Six times `a` becomes a hundred of them: a text of a few bytes would fill the memory.
  @Test func refusesTextsThatGrowBeyondBounds() {
    let hundred = JSON.string(String(repeating: "a", count: 100))
    func growing(_ pattern: JSON, _ steps: Int) -> JSON {
      .array(Array(repeating: ["type": "Replace", "pattern": pattern, "content": hundred], count: steps))
    }
    for pattern in [["String": "a"], ["Regex": "a|b"], ["Regex": "a*"]] as [JSON] {
      for (key, list) in [("normalizer", "normalizers"), ("decoder", "decoders")] {
        func json(_ steps: Int) -> JSON {
          .object(JSONObject([("model", Self.model), (key, .object(JSONObject([("type", "Sequence"), (list, growing(pattern, steps))])))]))
        }
        #expect(message(json(1)) == "no error")
        #expect(message(json(6)).hasPrefix("some/tokenizer.json: \(key) Sequence: a text can become more than 256 times as long"))
      }
    }
  }

  @Test func saysWhenThereIsNoFile() {
    #expect {
      try Tokenizer(directory: Repository.file("no/such/folder"))
    } throws: { error in
      "\(error)".contains("tokenizer.json: no such file")
    }
  }
}
