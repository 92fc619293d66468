import GraftAdapters
import GraftJSON
import GraftLayers
import GraftTensors
import Testing

/// The report of an adapter's modules.
@Suite struct ModuleReportTests {
  @Test func `norms are those of the change, with the base and without it`() throws {
    let model = try makeTinyModel()
    var method = LoRA()
    (method.r, method.loraAlpha, method.targetModules) = (3, 5, .names(["q_proj", "down_proj", "embed_tokens"]))
    let delta = try Delta(method, on: model.catalog)
    randomize(delta.parameters.map(\.parameter), deviation: 0.3)
    let stored = try delta.stored(taskType: nil)
    let before = model.catalog.parameters.map(\.value.values)
    let matched = delta.modules
    let alone = try ModuleReport.modules(of: stored)
    #expect(zip(model.catalog.parameters, before).allSatisfy { $0.value.values == $1 })
    #expect(Set(matched.map(\.path)) == Set(alone.map(\.path)) && matched.count == 5)
    try delta.merge()
    for module in matched {
      let index = try #require(model.catalog.parameters.firstIndex { $0.path == module.path + ".weight" })
      let parameter = model.catalog.parameters[index]
      let moved = (parameter.value - Tensor(before[index], parameter.shape)).sumOfSquares.squareRoot()
      #expect(abs(try #require(module.changeNorm) - moved) < 1e-4 * moved, "\(module.path)")
      let other = try #require(alone.first { $0.path == module.path })
      #expect(abs(try #require(other.changeNorm) - moved) < 1e-3 * moved, "\(module.path)")
      #expect(module.rank == 3 && other.rank == 3 && module.parameterCount == other.parameterCount)
      #expect(module.shape == parameter.shape.dimensions)
    }
    #expect(matched.reduce(0) { $0 + $1.parameterCount } == delta.parameterCount)
  }

  @Test(arguments: MethodCase.all) func `every value of a delta belongs to a module`(_ example: MethodCase) throws {
    let model = try makeTinyModel()
    let delta = try Delta(example.method(), on: model.catalog)
    let counted = delta.modules.reduce(0) { $0 + $1.parameterCount }
    #expect(counted == delta.parameterCount)
    let states = model.states()
    _ = delta.modules
    #expect(model.states() == states)
  }

  @Test func `a tensor that modules share stands by itself`() throws {
    let configuration = #"{"peft_type": "VBLORA", "r": 2, "num_vectors": 6, "vector_length": 4, "target_modules": ["q_proj"]}"#
    let method = try MethodCatalog.decode(stored: JSON(parsing: configuration), from: "test")
    let delta = try Delta(method, on: makeTinyModel().catalog)
    let bank = try #require(delta.modules.first { $0.path == "vblora_vector_bank" })
    #expect(bank.kind == "shared values" && bank.shape == [6, 4] && bank.parameterCount == 24 && bank.changeNorm == nil)
    let alone = try ModuleReport.modules(of: delta.stored(taskType: nil))
    #expect(Set(alone.map(\.path)) == Set(delta.modules.map(\.path)) && alone.count == 3)
    #expect(alone.first { $0.path == bank.path }?.parameterCount == 24)
  }
}
