import GraftAdapters
import GraftBatching
import GraftJSON
import GraftLayers
import GraftModels
import GraftTensors
import GraftTestSupport
import Testing

/// Methods on models without attention.
@Suite struct RecurrenceTests {
  private func delta(_ configuration: JSON, on modelType: String) throws -> Delta {
    try Delta(try MethodCatalog.decode(stored: configuration, from: "test"), on: try AnyFamily.build(modelType).catalog)
  }

  /// A prefix has no place there, and what takes its place is named.
  @Test(arguments: ["mamba", "mamba2", "rwkv", "rwkv5", "rwkv6", "rwkv7"]) func `a prefix is refused with the reason`(_ modelType: String) throws {
    let error = #expect(throws: TuningError.self) { try delta(["peft_type": "PREFIX_TUNING", "num_virtual_tokens": 3], on: modelType) }
    #expect(
      error?.description
        == "PREFIX_TUNING: \(modelType) has no attention, so no keys and values that a prefix could stand before; take STATE_TUNING, which trains the states before the first token"
    )
    #expect(throws: Never.self) { try delta(["peft_type": "PROMPT_TUNING", "num_virtual_tokens": 3], on: modelType) }
    #expect(throws: Never.self) { try delta(["peft_type": "STATE_TUNING"], on: modelType) }
  }

  /// States that start as zeros change nothing, but for RWKV-4, whose mean has one token more.
  @Test(arguments: TinyFamily.recurrent.sorted { $0.rawValue < $1.rawValue }) func `a state of zeros is the base's`(_ family: TinyFamily) throws {
    let model = try family.build()
    let batch = family.batch(for: model)
    let before = model.hiddenStates(batch.input, .inference).values
    _ = try Delta(try MethodCatalog.decode(stored: ["peft_type": "STATE_TUNING"], from: "test"), on: model.catalog)
    #expect((model.hiddenStates(batch.input, .inference).values == before) == (family != .rwkv))
  }

  /// A trained state stands before every document of a batch, and before the first token of a text that is written.
  @Test(arguments: TinyFamily.recurrent.sorted { $0.rawValue < $1.rawValue }) func `every sequence begins with the state`(_ family: TinyFamily)
    throws
  {
    let model = try family.build()
    let plain = model.hiddenStates(SequenceInput([[5, 3, 1], [9]]), .inference)
    let delta = try Delta(try MethodCatalog.decode(stored: ["peft_type": "STATE_TUNING"], from: "test"), on: model.catalog)
    randomize(delta.parameters.map(\.parameter), deviation: 0.5)
    let both = model.hiddenStates(SequenceInput([[5, 3, 1], [9]]), .inference)
    for row in 0..<4 { #expect(largestDifference(both.rows(row..<row + 1).values, plain.rows(row..<row + 1).values) > 1e-4) }
    let apart = [[5, 3, 1], [9]].map { model.hiddenStates(SequenceInput([$0]), .inference) }
    #expect(largestDifference(both.values, apart.flatMap(\.values)) < 1e-5)
  }

  /// Starting from a text is starting with what its last token leaves.
  @Test(arguments: TinyFamily.recurrent.sorted { $0.rawValue < $1.rawValue }) func `a state can start as that behind a text`(_ family: TinyFamily)
    throws
  {
    let model = try family.build()
    let text: [Int32] = [4, 8, 15, 16, 2]
    let services = AttachmentServices(tokenize: { _ in text }) { _ = model.hiddenStates($0, $1) }
    let method = try MethodCatalog.decode(stored: ["peft_type": "STATE_TUNING", "init_text": "five words"], from: "test")
    let delta = try Delta(method, on: model.catalog, services: services)
    let parameters = delta.parameters.map(\.parameter)
    #expect(parameters.count == 2 && parameters.allSatisfy { $0.value.values.contains { $0 != 0 } })
    // The first layer's own share of the next token is what it would be behind the text: its state does not depend on shifted rows.
    let state = SequenceState(sequences: 1)
    delta.detach()
    _ = model.hiddenStates(SequenceInput([text]), Pass(state: state))
    let recurrence = try #require(model.catalog.sites.lazy.compactMap(\.recurrence).first)
    #expect(try #require(recurrence.values(of: state)).values == parameters[0].value.values)
  }

  /// PEFT's tables do not list it.
  @Test func `Mamba has no default targets`() {
    #expect(throws: TuningError.self) {
      try Delta(try MethodCatalog.decode(stored: ["peft_type": "LORA"], from: "test"), on: try AnyFamily.build("mamba").catalog)
    }
  }
}
