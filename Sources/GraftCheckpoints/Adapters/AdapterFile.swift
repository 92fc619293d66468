import GraftJSON
import GraftLayers
import GraftTensors

/// The content of a file or directory of adapters, in memory.
public struct AdapterFile {
  /// The path from which it was read, for messages.
  public var location: String
  /// The model that the adapters belong to, where that is recorded.
  public var base: BaseFingerprint?
  /// The adapters, one or several.
  public var adapters: [StoredAdapter]

  /// A file's content, of adapters made in memory.
  public init(location: String = "", base: BaseFingerprint? = nil, adapters: [StoredAdapter]) {
    self.location = location
    self.base = base
    self.adapters = adapters
  }

  /// The adapter called `name`, or the only one when no name is given ("default" where there are several).
  ///
  /// - Throws: `CheckpointError` of kind `missing` that lists the names there are.
  public func adapter(named name: String? = nil) throws(CheckpointError) -> StoredAdapter {
    if name == nil, adapters.count == 1 { return adapters[0] }
    if let adapter = adapters.first(where: { $0.name == name ?? "default" }) { return adapter }
    let names = adapters.map { "'\($0.name)'" }.joined(separator: ", ")
    throw CheckpointError(
      .missing, location, "has no adapter '\(name ?? "default")'", remedy: "it has \(names.isEmpty ? "none" : names)")
  }
}

/// One adapter: its configuration, its tensors under PEFT's keys (AdapterHub's for bottleneck adapters), and what a
/// resumed run needs besides.
public struct StoredAdapter {
  /// The adapter's name in its file.
  public var name: String
  /// The method's short name, such as "lora".
  public var method: String
  /// PEFT's `peft_type`, such as "LORA".
  public var peftType: String
  /// PEFT's `task_type`, such as "CAUSAL_LM".
  public var taskType: String?
  /// The keys of `adapter_config.json`, or a superset of them.
  public var configuration: JSON
  /// The trained tensors, under PEFT's names.
  public var tensors: [StoredTensor]
  /// The tensors that the adapter's are computed from while it is trained, such as the network over a prefix; needed to resume.
  public var reparam: [StoredTensor] = []
  /// A prediction head trained along.
  public var head: [StoredTensor] = []
  /// The progress of a run that can go on; nil for a finished adapter.
  public var training: StoredTraining?

  /// An adapter of its parts.
  public init(
    name: String = "default", method: String, peftType: String, taskType: String? = nil, configuration: JSON,
    tensors: [StoredTensor]
  ) {
    self.name = name
    self.method = method
    self.peftType = peftType
    self.taskType = taskType
    self.configuration = configuration
    self.tensors = tensors
  }

  /// The number of elements of `tensors`.
  public var parameterCount: Int { tensors.reduce(0) { $0 + $1.tensor.shape.elementCount } }

  /// The SHA-256 over the tensors' names, types, shapes and bytes, in hexadecimal, which no conversion between formats
  /// changes. `reparam` and `head` do not count.
  public var contentSHA256: String {
    TensorHashes(descriptions: tensors.map(\.description), hashes: tensors.map(\.sha256)).combined
  }

  /// The tensors (and those of `reparam` and `head`) by name, for building a model from them.
  ///
  /// - Parameter location: the file or directory they came from, for messages.
  public func weights(from location: String) -> InMemoryWeights {
    InMemoryWeights(name: location, tensors + reparam + head)
  }
}

/// A named tensor and its place in the method.
public struct StoredTensor {
  /// The key under which PEFT keeps it.
  public var name: String
  /// The tensor's part in the method: "lora_A", "prefix_kv", "adapter_down", ...
  public var role: String
  /// The tensor's values.
  public var tensor: Tensor

  /// - Parameter role: by default told from the name.
  public init(name: String, role: String? = nil, tensor: Tensor) {
    self.name = name
    self.role = role ?? Self.role(of: name)
    self.tensor = tensor
  }

  /// The type and shape under the name.
  public var description: TensorDescription { TensorDescription(name: name, of: tensor) }

  /// The last component of the name that is no number, and neither "weight" nor "bias" unless that is all there is.
  static func role(of name: String) -> String {
    let components = name.split(separator: ".")
    let telling = components.last { $0 != "weight" && $0 != "bias" && Int($0) == nil }
    return String(telling ?? components.last ?? "")
  }
}

/// The progress of a run, in an adapter that can be trained on.
public struct StoredTraining {
  /// Optimizer steps taken.
  public var step: Int?
  /// Epochs taken, with a fraction.
  public var epoch: Double?
  /// The seed of the run.
  public var seed: Int?
  /// The best value of the metric that chooses weights.
  public var bestMetric: Double?
  /// The recipe's YAML, verbatim.
  public var recipe: String?
  /// The metrics so far, as JSON Lines.
  public var metrics: String?
  /// Anything else that is no tensor: positions of samplers, loss scale, ...
  public var state: JSON?
  /// Sets of tensors such as an optimizer's first and second moments, under the names of their parameters.
  public var tensorGroups: [(name: String, tensors: [StoredTensor])] = []

  /// The progress of a run.
  public init(step: Int? = nil, epoch: Double? = nil, seed: Int? = nil, bestMetric: Double? = nil) {
    self.step = step
    self.epoch = epoch
    self.seed = seed
    self.bestMetric = bestMetric
  }
}

/// Tensors in memory as a source of weights.
public final class InMemoryWeights: WeightSource {
  public let name: String
  public let tensorNames: [String]
  private let tensors: [String: Tensor]

  /// - Parameters:
  ///   - name: the source's name in messages.
  ///   - tensors: under distinct names; of two equal ones the first counts.
  public init(name: String, _ tensors: [StoredTensor]) {
    self.name = name
    tensorNames = tensors.map(\.name)
    self.tensors = Dictionary(tensors.map { ($0.name, $0.tensor) }) { first, _ in first }
  }

  public func contains(_ name: String) -> Bool { tensors[name] != nil }

  /// - Throws: `CheckpointError` of kind `malformed` when there is no tensor of that name.
  public func tensor(_ name: String) throws(CheckpointError) -> Tensor {
    guard let tensor = tensors[name] else { throw .malformed(self.name, "has no tensor '\(name)'") }
    return tensor
  }
}
