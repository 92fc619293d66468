import GraftBatching
import GraftJSON
import GraftLayers
import GraftModels
import GraftTensors
import GraftTestSupport
import Testing

/// A tiny model of random weights, of every family and task.
struct TinyModel: Sendable, CustomTestStringConvertible {
  let configuration: JSON
  let task: LearningTask

  var testDescription: String { "\(configuration["model_type"]?.string ?? ""), \(task.rawValue)" }

  private static let decoders = [
    TinyConfiguration.gpt2, TinyConfiguration.llama, TinyConfiguration.mistral, TinyConfiguration.qwen, TinyConfiguration.qwen2,
    TinyConfiguration.qwen3,
    TinyConfiguration.gemma, TinyConfiguration.gemma2, TinyConfiguration.gemma3, TinyConfiguration.granite,
    TinyConfiguration.phi3, TinyConfiguration.glm, TinyConfiguration.glm4, TinyConfiguration.olmo2,
    TinyConfiguration.openAIGPT, TinyConfiguration.bloom, TinyConfiguration.mixtral, TinyConfiguration.qwen2MoE, TinyConfiguration.qwen3MoE,
    TinyConfiguration.gptOss, TinyConfiguration.deepSeekV2, TinyConfiguration.deepSeekV3,
  ]
  /// Models without attention.
  private static let recurrences = [
    TinyConfiguration.mamba, TinyConfiguration.mamba2, TinyConfiguration.rwkv, TinyConfiguration.rwkv5, TinyConfiguration.rwkv6,
    TinyConfiguration.rwkv7,
  ]
  private static let encoders = [TinyConfiguration.bert, TinyConfiguration.roberta, TinyConfiguration.distilbert]
  private static let encoderDecoders = [TinyConfiguration.t5, TinyConfiguration.mt5, TinyConfiguration.bart, TinyConfiguration.transformer]

  static let attending = decoders.map { TinyModel(configuration: $0, task: .causalLM) }
  static let recurrent = recurrences.map { TinyModel(configuration: $0, task: .causalLM) }
  static let causal = attending + recurrent
  static let masked = encoders.map { TinyModel(configuration: $0, task: .maskedLM) }
  static let sequenceToSequence = encoderDecoders.map { TinyModel(configuration: $0, task: .seq2seqLM) }
  static let textClassifiers = classifiers(.sequenceClassification)
  static let tokenClassifiers = classifiers(.tokenClassification)
  static let all = causal + masked + sequenceToSequence + textClassifiers + tokenClassifiers

  /// The families that have a head for the task.
  private static func classifiers(_ task: LearningTask) -> [TinyModel] {
    (decoders + encoders).map { TinyModel(configuration: $0, task: task) }.filter { $0.family?.tasks.contains(task) ?? false }
  }

  var family: ModelFamily? { configuration["model_type"]?.string.flatMap { ModelFamily.registry[$0] } }

  func build(
    style: AttentionStyle? = nil, frozenType: ElementFormat = .float32, isTrainable: Bool = false
  ) throws -> any TrainableModel {
    let scope = Scope(source: nil, catalog: SiteCatalog(), frozenType: frozenType, seed: 7, isTrainable: isTrainable)
    let config = ArchitectureConfiguration(configuration, source: "config.json")
    let model = try #require(try ModelFamily.build(ModelRequest(config, task: task, labels: 3, style: style), in: scope) as? any TrainableModel)
    // RWKV-7 starts with zeros where its halves of blocks end: nothing would be seen of what they compute.
    for parameter in model.catalog.parameters where parameter.shape.rank == 2 && parameter.dense().values.allSatisfy({ $0 == 0 }) {
      let drawn = RandomStream(seed: 3).split(parameter.path).normal(parameter.shape, standardDeviation: 0.3)
      parameter.assign(drawn.converted(to: parameter.format))
    }
    return model
  }

  /// Three documents of different lengths.
  var examples: [EncodedExample] {
    [5, 1, 9].enumerated().map { index, count in
      let tokens = (0..<count).map { Int32(($0 * 5 + index * 3 + 2) % 23) }
      return EncodedExample(
        tokens: tokens, label: .class(index), source: task == .seq2seqLM ? (0...count).map { Int32(($0 * 7 + index) % 23) } : nil,
        tokenLabels: tokens.map { $0 % 3 })
    }
  }
}
