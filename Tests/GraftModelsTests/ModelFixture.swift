import Foundation
import GraftBatching
import GraftJSON
import GraftLayers
import GraftTensors
import GraftTestSupport
import Testing

import GraftModels

/// Results of Transformers with a tiny model, as `Scripts/make-model-goldens.py` writes them.
struct ModelFixture {
  let json: JSON

  static let names = [
    "gpt2", "gpt2-regression", "llama", "llama-biases", "llama-padding-inside", "llama-tokens", "mistral", "qwen2", "qwen2-window", "qwen3",
    "gemma", "gemma2", "gemma3", "granite", "phi3", "phi3-window", "glm", "glm4", "olmo2", "openai-gpt", "bloom",
    "mixtral", "qwen2_moe", "qwen2_moe-dense", "qwen3_moe", "qwen3_moe-raw", "gpt_oss", "deepseek_v2", "deepseek_v2-groups", "deepseek_v3",
    "deepseek_v3-halves",
    "mamba", "mamba-biases", "mamba2", "mamba2-biases", "rwkv",
    "bert-old-names", "bert-next-sentence", "bert-pretraining", "bert-tokens", "roberta-multi-label", "roberta-untied",
    "distilbert", "t5", "t5-gated", "bart",
  ]

  /// Families that Transformers does not have, after their authors (`Scripts/make-rwkv7-goldens.py`,
  /// `Scripts/make-eagle-goldens.py`, `Scripts/make-qwen-goldens.py`).
  static let others = ["rwkv5", "rwkv6", "rwkv7", "qwen", "qwen-biases"]

  init(_ name: String) throws {
    json = try Fixtures("GraftModelsTests").json("\(name).json")
  }

  var task: LearningTask { json["task"]?.string.flatMap(LearningTask.init) ?? .causalLM }
  /// True where its masked examples are labelled pairs.
  var pairsSentences: Bool { task == .maskedLM && json["examples"]?[0]?["label"] != nil }
  var configuration: ArchitectureConfiguration { ArchitectureConfiguration(json["config"] ?? .null, source: "config.json") }
  var loss: Float { Float(json["loss"]?.double ?? .nan) }
  var outputs: [[Float]] { (json["outputs"]?.array ?? []).map(\.floats) }
  var gradients: [(name: String, norm: Double)] { (json["gradients"]?.object ?? [:]).map { ($0.key, $0.value.double ?? .nan) } }

  var examples: [EncodedExample] {
    (json["examples"]?.array ?? []).map { example in
      func ids(_ key: String) -> [Int32]? { example[key]?.tokenIDs }
      let label: ExampleLabel? = example["label"].map { label in
        if let classes = label.array { return .classes(Set(classes.compactMap(\.int))) }
        return json["config"]?["problem_type"]?.string == "regression" ? .value(Float(label.double ?? .nan)) : .class(label.int ?? -1)
      }
      return EncodedExample(
        tokens: ids("tokens") ?? [], typeIDs: ids("typeIDs"), label: label, source: ids("source"), tokenLabels: ids("targets"))
    }
  }

  func model(from source: SyntheticSource) throws -> any TrainableModel {
    let scope = Scope(source: source, catalog: SiteCatalog())
    let model = try ModelFamily.build(ModelRequest(configuration, task: task, pairsSentences: pairsSentences), in: scope)
    return try #require(model as? any TrainableModel)
  }

  func batch(for model: any Model) -> Batch {
    Batch(collating: examples, objective: task.objective(for: model))
  }
}

extension LearningTask {
  func objective(for model: any Model) -> BatchObjective {
    switch self {
    case .causalLM: .nextToken
    case .preference: .answers
    case .maskedLM, .tokenClassification: .tokenLabels
    case .sequenceClassification: .labels
    case .seq2seqLM: .shiftedRight(startID: (model as? any SequenceToSequenceModel)?.decoderStartID ?? -1)
    }
  }
}

/// A checkpoint whose values are made from its tensors' names, as the script makes them.
final class SyntheticSource: WeightSource {
  let name = "synthetic"
  private(set) var shapes: [String: (shape: Shape, centre: Double)] = [:]
  let tensorNames: [String]
  private var copies: [String: String] = [:]

  init(_ fixture: ModelFixture) {
    let tensors = fixture.json["tensors"]?.object ?? [:]
    tensorNames = tensors.keys
    for (name, entry) in tensors {
      shapes[name] = (Shape((entry["shape"]?.array ?? []).compactMap(\.int)), entry["centre"]?.double ?? 0)
    }
  }

  /// - Parameter copies: the names whose values other names have.
  init(_ tensors: [(name: String, shape: Shape)], copies: [String: String] = [:]) {
    tensorNames = tensors.map(\.name)
    self.copies = copies
    for (name, shape) in tensors { shapes[name] = (shape, shape.rank == 1 && name.hasSuffix("weight") ? 1 : 0) }
  }

  func remove(_ name: String) { shapes[name] = nil }
  func reshape(_ name: String, to shape: Shape) { shapes[name]?.shape = shape }

  func contains(_ name: String) -> Bool { shapes[name] != nil }

  func tensor(_ name: String) throws -> Tensor {
    let (shape, centre) = try #require(shapes[name])
    if name.hasSuffix(".eps") { return Tensor(repeating: -1e-6, shape: shape) }
    let seed = (copies[name] ?? name).utf8.reduce(2_166_136_261 as UInt32) { ($0 ^ UInt32($1)) &* 16_777_619 }
    let values = Tensor((0..<shape.elementCount).map { Float(centre + (Self.uniform(seed, $0) - 0.5) * 0.8) }, shape)
    // Transformers keeps xIELU's parameters in 16 bits.
    return name.contains(".act_fn.") ? values.converted(to: .bfloat16).converted(to: .float32) : values
  }

  private static func uniform(_ seed: UInt32, _ index: Int) -> Double {
    var x = seed &+ UInt32(index)
    x = (x ^ (x >> 16)) &* 0x7FEB_352D
    x = (x ^ (x >> 15)) &* 0x846C_A68B
    return Double(x ^ (x >> 16)) / 4_294_967_296
  }
}
