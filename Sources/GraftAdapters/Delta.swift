import GraftCheckpoints
import GraftConfiguration
import GraftJSON
import GraftLayers
import GraftTensors

/// The trainable part of a model, and nothing else.
///
/// Making one attaches the method; loading is attaching with a source whose tensors the method then finds by name.
public final class Delta {
  /// The method with its configuration, completed for the base.
  public let method: any TuningMethod
  private let base: SiteCatalog
  let attachment: Attachment

  /// - Parameters:
  ///   - base: the sites to adapt.
  ///   - source: the adapter's tensors; nil to start afresh.
  ///   - seed: the seed of initial values.
  ///   - services: the services that some initial values need.
  /// - Throws: `TuningError` where the method does not fit or the source has tensors that nothing asked for, `WeightError`
  ///   for missing or mis-shaped ones. The base is as it was then.
  public init(
    _ method: some TuningMethod, on base: SiteCatalog, from source: (any WeightSource)? = nil, seed: UInt64 = 0,
    services: AttachmentServices = AttachmentServices()
  ) throws {
    let method = try method.completed(for: base, holding: source?.tensorNames)
    (self.method, self.base) = (method, base)
    attachment = Attachment(source: source, seed: seed, services: services, otherPaths: base.otherPaths)
    do {
      try method.attach(to: base, in: attachment)
      try attachment.adoptUnasked(of: base)
      try attachment.adoptLeftovers(of: base)
      try attachment.requireEverythingConsumed()
    } catch {
      detach()
      throw error
    }
  }

  /// The trainable parameters with the keys they are stored under.
  public var parameters: [(key: String, parameter: Parameter)] { attachment.parameters }

  /// The number of trainable values.
  public var parameterCount: Int { parameters.reduce(0) { $0 + $1.parameter.shape.elementCount } }

  /// Parts of a stored configuration that have no effect on this model.
  public var notes: [String] { attachment.notes }

  /// The changes to the base.
  var changes: Changes { attachment.changes }

  /// True where the base computes with the delta.
  public var isAttached: Bool { changes.isInPlace }

  /// Takes the method off: the base computes what it did before, to the bit.
  public func detach() { changes.detach() }

  /// Puts the method on again, as it was when it was taken off.
  /// - Throws: `TuningError` where another one is in its place, or it is merged.
  public func attach() throws(TuningError) { try changes.attach() }

  /// Folds the delta into the base's weights and leaves the seams empty.
  /// - Throws: `TuningError` for a method that adds computation which no weights can express.
  public func merge() throws(TuningError) {
    try requireMergeable()
    try changes.merge(into: base)
  }

  /// Takes a merged delta out of the base's weights, which are as they were before, to the bit; it is detached then.
  public func unmerge() { changes.unmerge() }

  func requireMergeable() throws(TuningError) {
    guard method.isMergeable else {
      throw TuningError("\(type(of: method).name): cannot be merged, since it adds computation; use it as an adapter")
    }
  }

  /// The method's work while it is trained; nil for a method that is only differentiated.
  public var schedule: (any TrainingSchedule)? { attachment.schedule }

  /// The delta as files keep it.
  /// - Parameters:
  ///   - taskType: PEFT's, such as `CAUSAL_LM`.
  ///   - isFinished: true where it is stored to be used, rather than to go on training.
  /// - Throws: where the configuration cannot be encoded.
  public func stored(taskType: String?, isFinished: Bool = true) throws -> StoredAdapter {
    let name = type(of: method).name
    // A key without a value is left out: other programs need not know it then.
    let encoded = try ConfigTree(encoding: method).json
    var configuration = JSON.object(JSONObject())
    for entry in encoded.object?.filter({ !$0.value.isNull }) ?? [] { configuration[entry.key] = entry.value }
    let unasked = attachment.unaskedModules(of: base)
    if let saved = encoded["modules_to_save"], !unasked.isEmpty {
      let given = saved.array?.compactMap(\.string) ?? saved.string.map { [$0] } ?? []
      configuration["modules_to_save"] = .array((given + unasked.filter { !given.contains($0) }).map(JSON.string))
    }
    configuration["peft_type"] = .string(name)
    var stored = StoredAdapter(
      method: name.lowercased(), peftType: name, taskType: taskType, configuration: configuration,
      tensors: attachment.stored.map { StoredTensor(name: $0.key, tensor: $0.tensor) })
    stored.reparam = attachment.reparameterization.map { StoredTensor(name: $0.key, tensor: $0.tensor) }
    if isFinished { schedule?.finish(&stored) }
    return stored
  }
}
