import GraftBatching
import GraftCheckpoints
import GraftJSON
import GraftLayers
import GraftTensors

/// A Hugging Face checkpoint directory as a model.
public struct ModelDirectory {
  /// The network with the checkpoint's weights.
  public let model: any Model
  /// The files of the weights.
  public let checkpoint: Checkpoint
  /// The checkpoint's tensors, with the rows of new tokens where there are some.
  public let weights: any WeightSource
  /// The `config.json`, as it stands in the directory.
  public let configuration: JSON
  /// The generation settings of the checkpoint.
  public let generation: GenerationFile
  /// The ids that end a text: those that `generation` names, else the configuration's.
  public let endOfSequenceIDs: Set<Int32>

  /// - Parameters:
  ///   - path: the directory.
  ///   - task: the task of the model, which its heads follow.
  ///   - labels: the number of labels that a classifier tells apart; the configuration's where nil.
  ///   - problem: the kind of its labels; the configuration's where nil.
  ///   - frozenType: the format of matrices in memory; a matrix that is stored in it stays mapped.
  ///   - quantization: that of frozen layers' matrices which the checkpoint holds unquantized, but for heads and routers; nil for none.
  ///   - style: the attention style of a decoder; the configuration's where nil.
  ///   - isHeadless: true where hidden states are all that is wanted of a decoder or an encoder.
  ///   - pairsSentences: true where a masked language model is to tell pairs of sentences apart, too.
  ///   - seed: the seed of values that the checkpoint lacks: new tokens, a fresh head.
  ///   - vocabularySize: the number of tokens that there are to be, where they are more than the checkpoint's.
  ///   - routerLosses: the coefficients of routers' losses; the configuration's where nil.
  ///   - progress: told how many of the checkpoint's tensors are read, and how many there are.
  /// - Throws: `CheckpointError`, `ArchitectureError` and `WeightError`.
  public init(
    _ path: String, task: LearningTask = .causalLM, labels: Int? = nil, problem: ClassificationProblem? = nil, frozenType: ElementFormat = .float32,
    quantization: WeightQuantization? = nil, style: AttentionStyle? = nil, isHeadless: Bool = false, pairsSentences: Bool = false, seed: UInt64 = 0,
    vocabularySize: Int? = nil, routerLosses: RouterLossFactors? = nil, progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) throws {
    var configuration = try Checkpoint.configuration(in: path)
    checkpoint = try Checkpoint(ofModel: path)
    let names = ModelFamily.named(by: configuration)?.tensors
    if let vocabularySize, let oldSize = configuration["vocab_size"]?.int, vocabularySize > oldSize {
      weights = GrownVocabulary(checkpoint, from: oldSize, to: vocabularySize, tables: names?.vocabulary ?? [])
      configuration["vocab_size"] = .integer(vocabularySize)
    } else {
      weights = checkpoint
    }
    self.configuration = configuration
    let file = "\(path)/config.json"
    generation = try GenerationFile(in: path, configuration: ArchitectureConfiguration(configuration, source: file))
    let config = ArchitectureConfiguration(generation.completing(configuration), source: file)
    let ends = generation.endOfSequenceIDs.isEmpty ? Set(try config.tokenIDs("eos_token_id")) : generation.endOfSequenceIDs
    // Some files have a negative one for "none".
    endOfSequenceIDs = ends.filter { $0 >= 0 }
    // Labels that are asked for are data's or an adapter's; those of the configuration alone must fit its tensors.
    var source = weights
    if let labels, let replaced = try ReplacedHead(weights, labels: labels, outputs: names?.classifiers ?? []) { source = replaced }
    let request = ModelRequest(
      config, task: task, labels: labels, problem: problem, style: style, isHeadless: isHeadless, pairsSentences: pairsSentences,
      routerLosses: routerLosses)
    model = try withoutActuallyEscaping(progress) { progress in
      let counted = CountedWeights(source, progress)
      defer { counted.progress = nil }
      return try ModelFamily.build(
        request, in: Scope(source: counted, catalog: SiteCatalog(), frozenType: frozenType, quantization: quantization, seed: seed))
    }
    if generation.isOwnFile, let start = generation.startID, let model = model as? any SequenceToSequenceModel {
      guard (0..<model.vocabularySize).contains(Int(start)) else {
        throw generation.keys.fail("decoder_start_token_id", "token \(start) is outside the vocabulary of \(model.vocabularySize)")
      }
      model.generationStartID = start
    }
  }

  /// A parameter's weight as the checkpoint has it; nil where it has none, or has it quantized.
  /// - Throws: what reading it throws.
  package func unquantized(_ path: String) throws -> Tensor? {
    let names = [path] + (model.family?.tensors.aliases(of: path) ?? [])
    guard let name = names.first(where: weights.contains), case .dense(let tensor) = try weights.weight(name) else { return nil }
    return tensor
  }
}
