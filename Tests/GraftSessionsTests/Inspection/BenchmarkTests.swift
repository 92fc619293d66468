import GraftLayers
import GraftModels
import GraftRecipes
import GraftSessions
import GraftTensors
import GraftTestSupport
import Testing

/// Measurements say what they measured.
@Suite struct BenchmarkTests {
  private func benchmark(_ precision: Recipe.PrecisionName = .fp32, measuresPeak: Bool = false) -> Benchmark {
    let seedling = Repository.file("Data/models/seedling").path
    var benchmark = Benchmark(model: seedling, method: "full", batchSize: 1, sequenceLength: 8, steps: 1, warmup: 0)
    (benchmark.precision, benchmark.measuresPeak) = (precision, measuresPeak)
    return benchmark
  }

  @Test func productsHaveTheBenchmarksPrecision() throws {
    let (whole, half) = (try benchmark().training().json["first_loss"]?.double, try benchmark(.bf16).training().json["first_loss"]?.double)
    let (exact, rounded) = (try #require(whole), try #require(half))
    #expect(exact != rounded && abs(exact - rounded) < 0.02 * exact)
  }

  @Test(arguments: [false, true]) func theMachinesRateIsMeasuredWhereItIsAskedFor(isAskedFor: Bool) throws {
    let result = try benchmark(measuresPeak: isAskedFor).generation()
    for name in ["memory_bytes_per_second", "bandwidth_utilization"] { #expect((result.json[name] != nil) == isAskedFor, "\(name)") }
    #expect(result.text.contains("\ndecode_tokens_per_second "))
  }

  /// The bytes that decoding reads in 16 bits are half, though a table that the head shares is kept exact.
  @Test(arguments: [false, true]) func weightsThatDecodingReadsAreCounted(isTied: Bool) throws {
    let configuration = TinyConfiguration.llama.setting(["tie_word_embeddings": .bool(isTied)])
    let counts = try [ElementFormat.float32, .bfloat16].map { format in
      let request = ModelRequest(ArchitectureConfiguration(configuration, source: "tiny"))
      let model = try ModelFamily.build(request, in: Scope(source: nil, catalog: SiteCatalog(), frozenType: format))
      let decoder = try #require(model as? any CausalLanguageModel)
      return try #require(Benchmark.weightBytesPerToken(decoder))
    }
    #expect(counts[0] == 2 * counts[1] && counts[0] > 4 * 23 * 12)
  }
}
