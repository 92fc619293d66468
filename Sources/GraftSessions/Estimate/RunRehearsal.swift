import GraftAdapters
import GraftBatching
import GraftDatasets
import GraftLayers
import GraftRecipes
import GraftReports
import GraftTensors
import GraftTraining

/// A run whose tensors are counted and never computed: the model, the method and the optimizer are made, some micro-batches of all sizes are
/// trained on, and the largest evaluations are made, as the run itself does it.
struct RunRehearsal {
  /// The base, with weights that take no memory but for those of a mapped file.
  let base: TrainableBase
  private let settings: RunSettings
  private let count: MemoryCount
  /// The bytes of the weights that are not mapped.
  private let weightBytes: Int

  /// - Parameter labels: a classifier's labels.
  /// - Throws: what building the model throws.
  init(_ settings: RunSettings, labels: LabelScheme?) throws {
    let count = MemoryCount()
    base = try count.run { try TrainableBase(settings, labels: labels) }
    (self.settings, self.count) = (settings, count)
    weightBytes = count.bytesInUse
  }

  /// Refuses a model whose weights do not fit into memory before any is read.
  ///
  /// - Throws: `MemoryError`.
  func requireRoomForWeights(available: Int = AvailableMemory.bytes) throws(MemoryError) {
    let needed = weightBytes + base.mappedBytes
    guard needed > available else { return }
    throw MemoryError(
      "memory: the weights of \(base.name) take \(Figure.bytes(needed)) of resident memory, and \(Figure.bytes(available)) are available; "
        + "set model.dtype: bfloat16 or model.quantization: nf4, take a smaller model, or pass --ignore-memory")
  }

  /// The findings of a rehearsal.
  struct Findings {
    /// The bytes, but for those that the program has without the run.
    var memory: RunEstimate.Memory
    /// The method on the base.
    var delta: Delta
  }

  /// Rehearses the run once, on a base that no method was put on before.
  ///
  /// - Parameters:
  ///   - data: the examples.
  ///   - sample: the micro-batches to train on.
  /// - Throws: `TuningError` where the method does not fit the model, and what the method and the optimizer throw.
  func findings(_ data: RunData, _ sample: RunSample) throws -> Findings {
    guard let model = base.model as? any TrainableModel else {
      throw SessionError(.usage, "task: \(settings.recipe.task.rawValue) is not supported for \(base.model.modelType)")
    }
    let delta = try attached()
    // What is trained of the base itself is a copy of what is mapped.
    count.run { for (_, parameter) in delta.parameters { parameter.update { _ in } } }
    let trained = delta.parameters.reduce(0) { $0 + $1.parameter.stored.byteCount }
    let attached = count.bytesInUse
    let optimizer = try count.run {
      try settings.recipe.training.optimizer(of: delta, on: model.catalog, peak: settings.learningRate)
    }
    let lasting = count.bytesInUse
    let training = train(model, data, sample)
    let evaluation = try evaluate(model, data)
    // Copies of tables in another format stay from the first pass on.
    let copies = withExtendedLifetime(optimizer) { count.bytesInUse - lasting }
    let memory = RunEstimate.Memory(
      weights: Double(attached - trained + copies + residentMappedBytes(data, sample)), trained: Double(trained),
      gradients: Double(training.gradients), optimizer: Double(lasting - attached),
      activations: Double(training.peak - lasting - training.gradients - copies),
      evaluation: Double(max(0, evaluation - lasting - copies)))
    return Findings(memory: memory, delta: delta)
  }

  /// Puts the method on the base, which had none before.
  ///
  /// - Throws: `TuningError` where it does not fit the model.
  func attached() throws -> Delta {
    let tokenizer = try base.tokenizer()
    let services = AttachmentServices(tokenize: { tokenizer.encode($0) }, run: { [model = base.model] in _ = model.hiddenStates($0, $1) })
    return try count.run { try Delta(base.method.quicklyInitialized, on: base.model.catalog, services: services) }
  }

  /// Trains on the sample.
  /// - Returns: the highest bytes, and those of the gradients among them.
  private func train(_ model: any TrainableModel, _ data: RunData, _ sample: RunSample) -> (peak: Int, gradients: Int) {
    let pass = TrainingPass(model: model, recipe: settings.recipe, loss: settings.loss.sum)
    var gradients = Gradients()
    var bytes = 0
    count.resetPeak()
    for examples in sample.batches {
      let batch = Batch(collating: examples, objective: data.objective)
      // Gradients of earlier micro-batches are there while a later one of the same step is computed.
      if sample.microBatchesPerStep <= 1 { gradients = Gradients() }
      count.run { pass.run(batch, addingTo: &gradients) }
      bytes = max(bytes, gradients.parameters.reduce(0) { $0 + 4 * $1.shape.elementCount })
    }
    return (count.peakBytes, bytes)
  }

  /// Evaluates the largest batch of the examples held out, and answers the largest group of prompts.
  /// - Returns: the highest bytes.
  private func evaluate(_ model: any TrainableModel, _ data: RunData) throws -> Int {
    count.resetPeak()
    guard let held = data.evaluation ?? data.selection else { return count.peakBytes }
    let batches = held.evaluationBatches(data.objective).prefix(8)
    _ = try count.run { try settings.recipe.training.precision.run { try Evaluator.metrics(of: model, batches: Array(batches)) } }
    let evaluation = count.peakBytes
    count.resetPeak()
    try count.run { try settings.recipe.training.precision.run { try data.answers?.rehearse(by: model) } }
    return max(evaluation, count.peakBytes)
  }

  /// The bytes of mapped weights that come into memory: all of matrices, and of a table that no head shares what stands around rows looked up.
  private func residentMappedBytes(_ data: RunData, _ sample: RunSample) -> Int {
    let catalog = base.model.catalog
    let tied = Set(catalog.ties.map { ObjectIdentifier($0.table.weight) })
    let tables = Set(catalog.sites.compactMap(\.embedding).map { ObjectIdentifier($0.weight) }).subtracting(tied)
    let tokens = Set(sample.batches.joined().flatMap { $0.tokens + ($0.source ?? []) }).count
    return catalog.parameters.reduce(0) { sum, parameter in
      let bytes = parameter.stored.mappedByteCount
      return sum + (tables.contains(ObjectIdentifier(parameter)) ? min(bytes, tokens * Self.bytesAroundRow) : bytes)
    }
  }

  /// The bytes that Linux maps around one that is read (`fault_around_bytes`).
  private static let bytesAroundRow = 1 << 16
}

extension TuningMethod {
  /// The same method with initial values that take no decomposition of weights.
  fileprivate var quicklyInitialized: any TuningMethod {
    guard var method = self as? LoRA else { return self }
    method.initLoraWeights = .kaiming
    return method
  }
}
