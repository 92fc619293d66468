import Foundation
import GraftDatasets
import GraftJSON
import GraftTestSupport
import Testing

@Suite struct PairCutTests {
  /// With and without segment ids, the same as the tokenizers library.
  @Test(arguments: [true, false]) func pairsAreCutAtTheLongerText(usesTypeIDs: Bool) throws {
    var encoder = ExampleEncoder(
      tokenizer: CharacterTokenizer(style: .encoder), task: .sequenceClassification, labels: LabelScheme(names: ["bad", "good"]),
      usesTypeIDs: usesTypeIDs)
    let goldens = try JSONDecoder().decode([[Int]].self, from: Fixtures("GraftDatasetsTests").data("longest-first.json"))
    #expect(goldens.count > 500)
    for golden in goldens {
      let fields: JSONObject = [
        "text": .string(String(repeating: "b", count: golden[0])), "text_pair": .string(String(repeating: "c", count: golden[1])), "label": 0,
      ]
      encoder.maxLength = golden[2] + 3
      let example = try encoder.encodeDataset([DataRecord(fields, file: "d.jsonl", line: 1)]).examples[0]
      let kept = [CharacterTokenizer.id("b"), CharacterTokenizer.id("c")].map { id in example.tokens.count { $0 == id } }
      #expect(kept == [golden[3], golden[4]], "\(golden)")
      #expect(example.tokens.count { $0 == 1 || $0 == 4 } == 3)
      #expect((example.typeIDs != nil) == usesTypeIDs)
    }
  }
}
