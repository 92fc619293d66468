import GraftAdapters
import GraftConfiguration
import GraftJSON
import GraftLayers
import GraftTensors
import GraftTestSupport
import Testing

/// Factors that start from the error of a quantization, against float64 (`Scripts/make-loftq-goldens.py`) and by their own law.
@Suite struct LoftQTests {
  private static let cases: [JSON] = (try? Fixtures("GraftAdaptersTests").json("loftq.json"))?.array ?? []

  @Test(arguments: cases.indices) func `starts as PEFT's rounds do`(number: Int) throws {
    let golden = Self.cases[number]
    let name = golden["name"]?.string ?? ""
    let quantization = try #require(WeightQuantization(rawValue: golden["format"]?.string ?? ""))
    let weight = Tensor(syntheticValues(name, count: 8 * 64), [8, 64])
    let rank = golden["rank"]?.int ?? 0
    let start = try LoftQ.start(
      of: weight, as: quantization, rank: rank, iterations: golden["iterations"]?.int ?? 0, RandomStream(seed: 0).split(name))
    #expect(start.a.shape == [rank, 64] && start.b.shape == [8, rank])
    let base = Weight.blocks(start.quantized).dense()
    #expect(largestDifference(base.values, golden["base"]?.floats ?? []) < 2e-6, "\(name)")
    let product = matrixProduct(start.b, start.a)
    #expect(largestDifference(product.values, golden["product"]?.floats ?? []) < 1e-5, "\(name)")
    // Both factors have the roots of the singular values.
    for index in 0..<rank {
      let value = golden["singularValues"]?[index]?.double ?? .nan
      #expect(abs(start.a.rows(index..<index + 1).sumOfSquares - value) < 1e-4 * value + 1e-6, "\(name)")
      #expect(abs(start.b.transposed.rows(index..<index + 1).sumOfSquares - value) < 1e-4 * value + 1e-6, "\(name)")
    }
    #expect(abs((weight - base - product).sumOfSquares.squareRoot() - (golden["left"]?.double ?? .nan)) < 1e-4, "\(name)")
  }

  private func layer(quantization: WeightQuantization?) throws -> (layer: Linear, sites: SiteCatalog, weight: Tensor) {
    let weight = Tensor(syntheticValues("layer", count: 8 * 64), [8, 64])
    let sites = SiteCatalog()
    let layer = try Linear(Scope(source: nil, catalog: sites) / "layer", in: 64, out: 8)
    layer.weight.assign(try quantization.map { .blocks(try $0.encode(weight)) } ?? .dense(weight))
    return (layer, sites, weight)
  }

  private func method(_ settings: String) throws -> any TuningMethod {
    try MethodCatalog.decode(
      stored: try JSON(
        parsing: #"{"peft_type": "LORA", "r": 3, "lora_alpha": 3, "target_modules": ["layer"], "init_lora_weights": "loftq", \#(settings)}"#),
      from: "test")
  }

  /// The layer with its adapter is nearer to the unquantized one than the quantized base; without it the base is as it was, to the bit. What
  /// is loaded again computes the same, over a quantized base and over an unquantized one, into whose weights it merges.
  @Test(arguments: [1, 3]) func `belongs to the quantized base`(rounds: Int) throws {
    let method = try method(#""loftq_config": {"loftq_bits": 4, "loftq_iter": \#(rounds)}"#)
    let (layer, sites, weight) = try layer(quantization: .nf4)
    let x = Tensor(syntheticValues("x", count: 5 * 64), [5, 64])
    let exact = linear(x, weight)
    let before = layer(x, .inference).values
    let services = AttachmentServices(unquantized: { $0 == "layer.weight" ? weight : nil })
    let delta = try Delta(method, on: sites, services: services)
    let started = layer(x, .inference)
    #expect((started - exact).sumOfSquares < 0.7 * (Tensor(before, [5, 8]) - exact).sumOfSquares)
    delta.detach()
    #expect(layer(x, .inference).values == before)

    let stored = try delta.stored(taskType: nil)
    #expect(stored.configuration["init_lora_weights"] == "loftq")
    #expect(stored.configuration["loftq_config"] == ["loftq_bits": 4, "loftq_iter": .integer(rounds)])
    let again = try Delta(method, on: sites, from: stored.weights(from: "test"), services: services)
    #expect(layer(x, .inference).values == started.values)
    again.detach()

    let (plain, plainSites, _) = try self.layer(quantization: nil)
    let merged = try Delta(method, on: plainSites, from: stored.weights(from: "test"))
    #expect(largestDifference(plain(x, .inference).values, started.values) < 1e-5)
    try merged.merge()
    #expect(plain.adapter == nil && largestDifference(plain(x, .inference).values, started.values) < 1e-5)
    merged.unmerge()
    #expect(plain.weight.value.values == weight.values)
  }

  @Test(arguments: [
    (#""loftq_config": {"loftq_bits": 8}"#, "set 4"), (#""loftq_config": {"loftq_bits": 2}"#, "4 or 8"),
    (#""loftq_config": {"loftq_iter": 0}"#, "loftq_iter"), (#""loftq_config": {"bits": 4}"#, "loftq_bits"),
    (#""loftq_config": {}"#, "unquantized"),
  ]) func `says what it needs`(settings: String, advice: String) throws {
    let (_, sites, _) = try layer(quantization: .nf4)
    let error = #expect(throws: TuningError.self) { _ = try Delta(try method(settings), on: sites) }
    #expect(error?.description.contains(advice) == true, "\(settings)")
  }
}
