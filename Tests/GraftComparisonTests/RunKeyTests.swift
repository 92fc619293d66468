import GraftJSON
import GraftRecipes
import GraftTestSupport
import Testing

import GraftComparison

/// A run of a comparison is known again by what its recipe says beside the defaults.
@Suite struct RunKeyTests {
  private func recipe(_ overrides: String...) throws -> Recipe {
    try Recipe(yaml: "model: {path: m}\ndata: {train: t.jsonl}\nmethod: {r: 4}\n", file: "r.yaml", overrides: overrides)
  }

  @Test func defaultsHaveNoPartInIt() throws {
    let key = try RunKey.of(.run, recipe(), digest: "d")
    for override in ["training.optimizer=adamw", "training.loss_scale.initial=65536", "report.html=false", "output_dir=x", "method.peft_type=lora"] {
      #expect(try RunKey.of(.run, recipe(override), digest: "d") == key, "\(override)")
    }
  }

  @Test func whatDeterminesTheResultHas() throws {
    var keys: Set<String> = [
      try RunKey.of(.run, recipe(), digest: "d"), try RunKey.of(.trial, recipe(), digest: "d"), try RunKey.of(.run, recipe(), digest: "e"),
      try RunKey.of(.baseline, recipe(), digest: "d"),
    ]
    let changes = ["training.seed=3", "training.learning_rate=0.1", "method.r=8", "method.lora_alpha=3", "data.max_length=9", "task=masked_lm"]
    for change in changes { keys.insert(try RunKey.of(.run, recipe(change), digest: "d")) }
    #expect(keys.count == 4 + changes.count)
    #expect(try RunKey.of(.baseline, recipe("method.r=8"), digest: "d") == RunKey.of(.baseline, recipe(), digest: "d"))
  }

  /// An earlier version's recipes had fewer keys, of whose text the hash was made.
  @Test func runsOfAnEarlierVersionAreFound() throws {
    let folder = try TemporaryDirectory()
    let whole = try recipe("training.learning_rate=0.001")
    let older = try whole.rendered().split(separator: "\n").filter {
      !$0.contains("precision") && !$0.contains("loss_scale") && !$0.hasPrefix("    ")
    }
    try folder.write(older.joined(separator: "\n").utf8, to: "recipe.yaml")
    var full = whole
    full.method = ["peft_type": "FULL"]
    var records = JSONObject()
    for (index, own) in [whole, full].enumerated() {
      var record = ComparisonRecord(key: "old\(index)", name: "m", seed: 0, learningRate: 0.001)
      record.method = own.method.json
      record.training = ["learning_rate": 0.001, "max_grad_norm": 1.0, "num_epochs": .integer(1)]
      records[record.key] = record.json(model: "m", system: [:])
    }
    var untouched = ComparisonRecord(key: "old2", name: "untouched base", seed: 0, learningRate: 0)
    untouched.status = .baseline
    records["old2"] = untouched.json(model: "m", system: [:])
    let document: JSON = ["format": "graft-comparison", "version": 1, "model": "m", "digest": "d", "runs": .object(records)]
    try folder.write(document.serialized().utf8, to: "results.json")
    let store = try ComparisonStore(folder.path, model: "m", recipe: whole, digest: "d", isFresh: false)
    #expect(store.record(try RunKey.of(.run, whole, digest: "d"))?.method["r"] == 4)
    #expect(store.record(try RunKey.of(.run, full, digest: "d")) != nil)
    #expect(store.record(try RunKey.of(.baseline, whole, digest: "d"))?.status == .baseline)
    #expect(store.record(try RunKey.of(.run, recipe(), digest: "d")) == nil)
  }
}
