import GraftBatching
import GraftCheckpoints
import GraftJSON
import GraftLayers
import GraftTensors

/// A Hugging Face checkpoint directory as a model.
public struct ModelDirectory {
  public let model: any Model
  public let checkpoint: Checkpoint
  public let configuration: JSON

  /// - Parameters:
  ///   - path: the directory.
  ///   - frozenType: how matrices are kept in memory; what is stored so stays mapped.
  ///   - task: what the model is for; its heads follow.
  ///   - labels: how many labels a classifier tells apart; the configuration's where nil.
  ///   - style: which tokens of a decoder see which; the configuration's where nil.
  ///   - isHeadless: whether hidden states are all that is wanted of a decoder or an encoder.
  ///   - pairsSentences: whether a masked language model is to tell pairs of sentences apart, too.
  /// - Throws: `CheckpointError`, `ArchitectureError` and `WeightError`.
  public init(
    _ path: String, task: LearningTask = .causalLM, labels: Int? = nil, frozenType: DType = .float32, style: AttentionStyle? = nil,
    isHeadless: Bool = false, pairsSentences: Bool = false, seed: UInt64 = 0
  ) throws {
    configuration = try Checkpoint.configuration(in: path)
    let config = ArchitectureConfiguration(configuration, source: "\(path)/config.json")
    checkpoint = try Checkpoint(directory: path)
    let scope = Scope(
      source: checkpoint, catalog: SiteCatalog(), frozenType: frozenType, seed: seed, aliases: ModelRegistry.aliases)
    model = try ModelRegistry.build(config, task: task, labels: labels, style: style, isHeadless: isHeadless, pairsSentences: pairsSentences,
      in: scope)
  }

  /// The ids that end a generation: `generation_config.json`'s, else the configuration's; either may be a list.
  public var endOfSequenceIDs: Set<Int32> {
    let generation = try? readJSON("\(checkpoint.directory)/generation_config.json")
    for source in [generation, configuration] {
      guard let value = source?["eos_token_id"], !value.isNull else { continue }
      return Set((value.array ?? [value]).compactMap { $0.int.map(Int32.init) })
    }
    return []
  }
}
