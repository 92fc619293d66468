import Foundation
import GraftAdapters
import GraftBatching
import GraftJSON
import GraftLayers
import GraftTensors
import GraftTestSupport
import Testing

/// Dropout of methods: in training only, from the pass's stream, with a mask for every place.
@Suite struct MethodDropoutTests {
  static let cases = [
    #"{"peft_type": "LORA", "r": 3, "target_modules": ["q_proj", "v_proj"], "lora_dropout": RATE}"#,
    #"{"peft_type": "LORA", "r": 3, "target_modules": ["q_proj", "v_proj"], "use_dora": true, "lora_dropout": RATE}"#,
    #"{"peft_type": "VBLORA", "r": 2, "num_vectors": 6, "vector_length": 4, "target_modules": ["q_proj"], "vblora_dropout": RATE}"#,
    #"{"peft_type": "VERA", "r": 5, "target_modules": ["q_proj", "v_proj"], "vera_dropout": RATE}"#,
    #"{"peft_type": "ADALORA", "init_r": 3, "target_modules": ["q_proj", "v_proj"], "lora_dropout": RATE}"#,
    #"{"peft_type": "MISS", "r": 4, "target_modules": ["q_proj", "v_proj"], "miss_dropout": RATE}"#,
    #"{"peft_type": "HIRA", "r": 3, "target_modules": ["q_proj", "v_proj"], "hira_dropout": RATE}"#,
    #"{"peft_type": "DELORA", "r": 3, "target_modules": ["q_proj", "v_proj"], "module_dropout": RATE}"#,
    #"{"peft_type": "RANDLORA", "r": 5, "target_modules": ["q_proj", "v_proj"], "randlora_dropout": RATE}"#,
    #"{"peft_type": "TINYLORA", "u": 5, "target_modules": ["q_proj", "v_proj"], "tinylora_dropout": RATE}"#,
    #"{"peft_type": "GRALORA", "r": 4, "target_modules": ["q_proj", "v_proj"], "gralora_dropout": RATE}"#,
    #"{"peft_type": "DEFT", "r": 3, "target_modules": ["q_proj", "v_proj"], "deft_dropout": RATE}"#,
    #"{"peft_type": "SUPERTUNING", "sparsity": 0.9, "r": 3, "lora_alpha": 3, "target_modules": ["q_proj"], "lora_dropout": RATE}"#,
    #"{"peft_type": "ADAPTER", "reduction_factor": 2, "dropout": RATE}"#,
    #"{"peft_type": "REFT", "r": 2, "dropout": RATE}"#,
    #"{"peft_type": "HUB_LORA", "r": 2, "dropout": RATE}"#,
  ]

  private func states(_ configuration: String, _ rate: String, _ pass: Pass) throws -> [Float] {
    let json = try JSON(parsing: configuration.replacingOccurrences(of: "RATE", with: rate))
    let model = try makeTinyModel()
    let delta = try Delta(try MethodCatalog.decode(stored: json, from: "case"), on: model.catalog)
    randomize(delta.parameters.map(\.parameter), deviation: 0.3)
    return model.hiddenStates(SequenceInput(tinySequences), pass).values
  }

  @Test(arguments: cases)
  func dropoutIsForTraining(_ configuration: String) throws {
    func training(_ seed: UInt64) -> Pass { Pass(isTraining: true, random: RandomStream(seed: seed)) }
    let first = try states(configuration, "0.5", training(1))
    let still = try states(configuration, "0.5", .inference)
    #expect(largestDifference(first, still) > 1e-3)
    #expect(largestDifference(first, try states(configuration, "0.5", training(2))) > 1e-3)
    #expect(try states(configuration, "0.5", training(1)) == first)
    #expect(try states(configuration, "0", training(1)) == states(configuration, "0", .inference))
    #expect(try states(configuration, "0", .inference) == still)
  }

  /// Two layers that read the same input drop different elements of it: with the identity for `A` and `B` they show which.
  @Test func everyLayerHasItsOwnMask() throws {
    let scope = Scope(source: nil, catalog: SiteCatalog())
    let width = 64
    let layers = try ["first", "second"].map { try Linear(scope / $0, in: width, out: width, initializer: .zeros) }
    let method = #"{"peft_type": "LORA", "r": 64, "lora_alpha": 64, "target_modules": ["first", "second"], "lora_dropout": 0.25}"#
    let delta = try Delta(try MethodCatalog.decode(stored: try JSON(parsing: method), from: "case"), on: scope.catalog)
    let identity = Tensor((0..<width * width).map { $0 / width == $0 % width ? 1 : 0 }, [width, width])
    for (_, parameter) in delta.parameters { parameter.assign(identity) }
    let x = Tensor(repeating: 1, shape: [width, width])
    let pass = Pass(isTraining: true, random: RandomStream(seed: 8))
    let masks = layers.map { $0(x, pass).values }
    for mask in masks {
      #expect(mask.allSatisfy { $0 == 0 || abs($0 - 4 / 3) < 1e-5 })
      #expect(abs(Double(mask.count { $0 == 0 }) / 4096 - 0.25) < 0.03)
    }
    let agreeing = zip(masks[0], masks[1]).count { ($0 == 0) == ($1 == 0) }
    #expect(abs(Double(agreeing) / 4096 - 0.625) < 0.03)
  }
}
