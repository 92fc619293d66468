import GraftBatching
import GraftJSON
import GraftLayers
import GraftModels
import GraftTensors
import Testing

@Suite("Every activation is the one that its name means to Transformers")
struct ActivationGoldenTests {
  private static let fixture = Result { try ModelFixture("gpt2-activations") }
  static let names = ((try? fixture.get().json["activations"]?.object?.keys) ?? []).filter { Activation(named: $0) != nil }

  @Test func theCommonOnesAreThere() throws {
    _ = try Self.fixture.get()
    #expect(Set(["gelu", "gelu_new", "linear", "quick_gelu", "relu", "sigmoid", "silu", "tanh"]).isSubset(of: Self.names))
  }

  /// GPT-2's loss, and the norm of the gradient that comes through the activation, near zero and far from it.
  @Test(arguments: names)
  func lossAndGradient(_ name: String) throws {
    let fixture = try Self.fixture.get()
    let raised = ["transformer.h.0.mlp.c_fc.weight", "transformer.h.0.mlp.c_fc.bias"]
    let config = (fixture.json["config"] ?? .null).object.map { Array($0) } ?? []
    let named = JSON.object(JSONObject(config.map { ($0.key, $0.value) } + [("activation_function", .string(name))]))
    for golden in fixture.json["activations"]?[name]?.array ?? [] {
      let factor = Float(try #require(golden["factor"]?.double))
      let scope = Scope(source: SyntheticSource(fixture), catalog: SiteCatalog())
      let architecture = ArchitectureConfiguration(named, source: "config.json")
      let model = try #require(try ModelFamily.build(ModelRequest(architecture, task: .causalLM), in: scope) as? any TrainableModel)
      for path in raised {
        let parameter = try #require(model.catalog.parameter(path))
        parameter.isTrainable = true
        parameter.assign(factor * parameter.value)
      }
      let tape = Tape()
      let loss = tape.record { model.loss(Batch(collating: fixture.examples, objective: .nextToken), Pass(), scale: 1) }
      let trained = try #require(model.catalog.parameter(raised[0]))
      let norm = (try #require(tape.gradients(of: loss)[trained])).sumOfSquares.squareRoot()
      #expect(abs(Double(loss.scalar) - (golden["loss"]?.double ?? .nan)) < 3e-5, "times \(factor)")
      #expect(abs(norm - (golden["norm"]?.double ?? .nan)) < 3e-5 * norm, "times \(factor)")
    }
  }
}
