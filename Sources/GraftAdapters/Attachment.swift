import GraftBatching
import GraftLayers
import GraftTensors

/// Services that a method may ask of whoever attaches it, beyond the model's sites.
public struct AttachmentServices {
  /// A text's token ids, for prompts that start as words.
  public var tokenize: ((_ text: String) throws -> [Int32])?
  /// Runs the model with its cache, for prefixes that start as a text's keys and values.
  public var run: ((SequenceInput, Pass) -> Void)?

  /// A parameter's weight as the checkpoint has it, whatever the base is quantized to; answers nil where that is quantized, too.
  public var unquantized: ((_ path: String) throws -> Tensor?)?

  /// The services, each nil where it is not to be had.
  public init(
    tokenize: ((String) throws -> [Int32])? = nil, run: ((SequenceInput, Pass) -> Void)? = nil, unquantized: ((String) throws -> Tensor?)? = nil
  ) {
    (self.tokenize, self.run, self.unquantized) = (tokenize, run, unquantized)
  }
}

/// The attachment of a method to a base: the scope in which its tensors are made, and the list of its changes.
public final class Attachment {
  /// The scope in which names are written whole.
  public let root: Scope
  /// The scope of the tensors of injected methods, under PEFT's prefix.
  public let scope: Scope
  /// True where the tensors come from a file, which tells what they are whatever the patterns say.
  public let isLoading: Bool
  /// The services of whoever attaches the method.
  public let services: AttachmentServices
  /// The seed of initial values.
  public let seed: UInt64
  /// The prefix of whole modules' paths in their keys: methods that put tokens before the input have another.
  public var modulePrefix = "base_model.model"
  /// The method's work while it is trained; nil for a method that is only differentiated.
  public var schedule: (any TrainingSchedule)?
  /// The changes to the base.
  let changes = Changes()
  /// The keys of the tensors made for each filled slot, in the order of `changes.seams`.
  private(set) var seamKeys: [[String]] = []
  /// The parts of a stored configuration that have no effect on this model, a sentence each.
  private(set) var notes: [String] = []
  /// The tensors stored in place of the parameters they are computed from, or under a second name.
  private(set) var computed: [(key: String, value: () -> Tensor)] = []
  private var reparameters: Set<String> = []
  private let source: (any WeightSource)?
  private var consumed: Set<String> = []

  /// - Parameter otherPaths: the other paths under which the source may know a module of the base.
  init(
    source: (any WeightSource)?, seed: UInt64, services: AttachmentServices, otherPaths: @escaping (String) -> [String] = { _ in [] }
  ) {
    self.source = source
    self.services = services
    self.seed = seed
    isLoading = source != nil
    root = Scope(source: source, catalog: SiteCatalog(), seed: seed, isTrainable: true).calling(otherPaths)
    scope = root / "base_model" / "model"
  }

  /// The names that the source has; none where there is no source.
  public var sourceNames: [String] { source?.tensorNames ?? [] }

  /// Objects to a part of the configuration that has no effect on this model: that is nobody's intention where a method is to be
  /// trained. A stored adapter may be used for part of what it was made for; then it is a note.
  /// - Throws: `TuningError` of the problem.
  func object(_ problem: String) throws(TuningError) {
    guard isLoading else { throw TuningError(problem) }
    if !notes.contains(problem) { notes.append(problem) }
  }

  /// Puts an adapter in a linear layer's slot.
  /// - Throws: `TuningError` where the slot is taken.
  public func fill(_ layer: Linear, with adapter: some LinearAdapter) throws(TuningError) { try fill(.linear(layer, adapter)) }

  /// Puts an adapter in an embedding's slot.
  /// - Throws: `TuningError` where the slot is taken.
  public func fill(_ embedding: Embedding, with adapter: some EmbeddingTableAdapter) throws(TuningError) {
    try fill(.table(embedding, adapter))
  }

  /// Puts virtual tokens before every sequence.
  /// - Throws: `TuningError` where there are some.
  public func fill(_ embedding: Embedding, with prompt: some PromptAdapter) throws(TuningError) { try fill(.prompt(embedding, prompt)) }

  /// Puts keys and values before those of every sequence.
  /// - Throws: `TuningError` where there are some.
  public func fill(_ attention: Attention, with prefix: some AttentionPrefix) throws(TuningError) { try fill(.prefix(attention, prefix)) }

  /// Puts a second attention beside an attention.
  /// - Throws: `TuningError` where there is one.
  public func fill(_ attention: Attention, with supplement: some AttentionSupplement) throws(TuningError) {
    try fill(.supplement(attention, supplement))
  }

  /// Puts an adapter where a layer's output joins the residual stream.
  /// - Throws: `TuningError` where there is one.
  public func fill(_ layer: Linear, with adapter: some ResidualAdapter) throws(TuningError) { try fill(.residual(layer, adapter)) }

  /// Puts an adapter beside a projection that all experts of a layer have.
  /// - Throws: `TuningError` where there is one.
  public func fill(_ projection: ExpertProjection, with adapter: some ExpertAdapter) throws(TuningError) {
    try fill(.experts(projection, adapter))
  }

  /// Gives a recurrence another state to begin with.
  /// - Throws: `TuningError` where it has one.
  public func fill(_ recurrence: Recurrence, with start: some StartAdapter) throws(TuningError) { try fill(.start(recurrence, start)) }

  /// Changes the states that a block leaves.
  /// - Throws: `TuningError` where something does already.
  public func fill(_ block: TransformerBlock, with adapter: some StateAdapter) throws(TuningError) { try fill(.states(block, adapter)) }

  /// Changes the states that a block reads.
  /// - Throws: `TuningError` where something does already.
  public func fill(inputOf block: TransformerBlock, with adapter: some StateAdapter) throws(TuningError) { try fill(.input(block, adapter)) }

  private func fill(_ seam: Seam) throws(TuningError) {
    try changes.add(seam)
    let keys = root.catalog.parameters.map(\.path)
    let known = seamKeys.reduce(0) { $0 + $1.count }
    seamKeys.append(Array(keys[known...]))
  }

  /// Makes a parameter of the base part of the delta, under the given key; the base's own bytes stay as they are.
  /// - Throws: what the source throws; `WeightError` where its tensor has another shape.
  public func adopt(_ parameter: Parameter, as key: String) throws {
    guard !changes.adopted.contains(where: { $0.parameter === parameter }) else { return }
    var values = parameter.dense()
    if let source {
      guard source.contains(key) else { throw WeightError("\(source.name): no tensor \(key) \(parameter.shape); the configuration asks for it") }
      values = try take(key, shape: parameter.shape, from: source)
    }
    changes.add(AdoptedParameter(key: key, parameter, values: values.converted(to: .float32), isTrained: true))
  }

  /// Replaces a frozen weight of the base while the delta is in place.
  func replace(_ parameter: Parameter, by weight: Weight) { changes.add(ReplacedWeight(parameter, by: weight)) }

  /// Gives a head that shares a table a matrix of its own, equal at first; without effect on one that has its own.
  func untie(_ head: Linear, of sites: SiteCatalog) { changes.untie(head, of: sites) }

  /// The present values of a parameter that is part of the delta.
  func current(of parameter: Parameter) -> Tensor { changes.adopted.first { $0.parameter === parameter }?.current ?? parameter.stored.tensor }

  /// The base's own values of a parameter.
  func original(of parameter: Parameter) -> Tensor { changes.adopted.first { $0.parameter === parameter }?.base ?? parameter.stored.tensor }

  /// The source's tensors that nothing has asked for yet.
  var unusedNames: [String] { source?.tensorNames.filter { !consumed.contains($0) && !root.consumedNames.contains($0) } ?? [] }

  /// Stores values under one more name.
  func store(_ key: String, _ value: @escaping () -> Tensor) {
    if !computed.contains(where: { $0.key == key }) { computed.append((key, value)) }
  }

  /// Returns true where the source has a tensor, or where there is no source.
  func offers(_ key: String) -> Bool { source?.contains(key) ?? true }

  /// Takes notice of a tensor that a file may hold beside the delta, such as a copy of a frozen matrix.
  /// - Throws: `WeightError` where it is there with another shape.
  public func ignore(_ key: String, shape: Shape) throws {
    guard let source, source.contains(key) else { return }
    _ = try take(key, shape: shape, from: source)
  }

  /// Takes a tensor that a file may hold in place of a parameter, of whatever type.
  /// - Returns: nil where it is not there.
  /// - Throws: `WeightError` where it is there with another shape.
  func taken(_ key: String, shape: Shape) throws -> Tensor? {
    guard let source, source.contains(key) else { return nil }
    return try take(key, shape: shape, from: source)
  }

  /// Declares that a tensor computed from parameters is what is stored; they are kept beside it to train on.
  /// - Parameter scopePath: the path that the parameters are under.
  public func store(_ value: @escaping () -> Tensor, as key: String, insteadOf scopePath: String, shape: Shape) throws {
    try ignore(key, shape: shape)
    computed.append((key, value))
    reparameters.formUnion(root.catalog.parameters(under: scopePath).map(\.path))
  }

  private func take(_ key: String, shape: Shape, from source: any WeightSource) throws -> Tensor {
    let stored = try source.tensor(key)
    guard stored.shape == shape else { throw WeightError("\(source.name): \(key) has shape \(stored.shape); the model has \(shape)") }
    consumed.insert(key)
    return stored
  }

  /// Everything trainable, in the order in which it was made.
  var parameters: [(key: String, parameter: Parameter)] { made.filter(\.parameter.isTrainable) + changes.adopted.map { ($0.key, $0.parameter) } }

  private var made: [(key: String, parameter: Parameter)] { root.catalog.parameters.map { ($0.path, $0) } }

  /// The tensors that files keep of the delta.
  var stored: [(key: String, tensor: Tensor)] {
    made.filter { !reparameters.contains($0.key) }.map { ($0.key, $0.parameter.value) } + changes.adopted.map { ($0.key, $0.current) }
      + computed.map { ($0.key, $0.value()) }
  }

  /// The tensors that files keep beside the delta to train on.
  var reparameterization: [(key: String, tensor: Tensor)] {
    made.filter { reparameters.contains($0.key) }.map { ($0.key, $0.parameter.value) }
  }

  /// - Throws: `TuningError` that lists the source's tensors which nothing asked for.
  func requireEverythingConsumed() throws(TuningError) {
    guard let source else { return }
    let unused = unusedNames
    guard !unused.isEmpty else { return }
    let wanted = parameters.prefix(3).map(\.key).joined(separator: ", ")
    throw TuningError(
      "\(source.name): \(unused.count) tensors fit nothing in this model, such as \(unused.prefix(3).joined(separator: ", "));"
        + " it wants \(parameters.count), such as \(wanted.isEmpty ? "none" : wanted)")
  }
}
