import GraftAdapters
import GraftRecipes
import Testing

/// Other programs' names of keys are hints.
@Suite struct KeySynonymTests {
  @Test func theyLeadToKeysOfRecipes() {
    let keys = Set(RecipeKey.all.map(\.path)).union(MethodCatalog.keys.map { "method." + $0 })
    #expect(Set(KeySynonyms.names.values).subtracting(keys) == [])
    #expect(KeySynonyms.names.keys.filter { name in keys.contains { $0.split(separator: ".").last.map(String.init) == name } } == [])
  }

  @Test(arguments: [
    ("training.per_device_train_batch_size=4", "it is called 'training.batch_size' here"), ("lora_r=8", "it is called 'method.r' here"),
    ("training.batch_sise=4", "did you mean 'batch_size'?"),
  ])
  func unknownKeysHaveThemInTheirAdvice(setting: String, advice: String) {
    let error = #expect(throws: (any Error).self) {
      try Recipe(yaml: "model: {path: m}\ndata: {train: t.jsonl}", file: "r.yaml", overrides: [setting])
    }
    #expect(error.map { "\($0)" }?.hasSuffix(advice) == true, "\(String(describing: error))")
  }
}
