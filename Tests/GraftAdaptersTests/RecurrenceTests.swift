import GraftAdapters
import GraftLayers
import GraftModels
import Testing

/// Methods on models without attention.
@Suite struct RecurrenceTests {
  private func delta(_ method: String, on modelType: String) throws -> Delta {
    try Delta(
      try MethodCatalog.decode(stored: ["peft_type": .string(method), "num_virtual_tokens": 3], from: "test"),
      on: try AnyFamily.build(modelType).catalog)
  }

  /// A prefix has no place there, and what takes its place is named.
  @Test(arguments: ["mamba", "rwkv"]) func `a prefix is refused with the reason`(_ modelType: String) throws {
    let error = #expect(throws: TuningError.self) { try delta("PREFIX_TUNING", on: modelType) }
    #expect(
      error?.description == "PREFIX_TUNING: \(modelType) has no attention, so no keys and values that a prefix could stand before; take PROMPT_TUNING"
    )
    #expect(throws: Never.self) { try delta("PROMPT_TUNING", on: modelType) }
  }

  /// PEFT's tables do not list it.
  @Test func `Mamba has no default targets`() {
    #expect(throws: TuningError.self) {
      try Delta(try MethodCatalog.decode(stored: ["peft_type": "LORA"], from: "test"), on: try AnyFamily.build("mamba").catalog)
    }
  }
}
