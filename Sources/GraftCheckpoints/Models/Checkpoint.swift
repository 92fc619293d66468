import GraftFiles
import GraftJSON
import GraftLayers
import GraftTensors

/// A model directory's weights and configuration: `config.json` beside `model.safetensors`, PyTorch's `pytorch_model.bin` or the shards of
/// either, or an RWKV as its authors publish it.
///
/// Nothing but headers is read on opening; tensors are mapped.
public final class Checkpoint: WeightSource {
  /// The model directory.
  public let directory: String
  /// The weight files: one, or the shards in the order of their names.
  public var files: [any WeightFile] { weights.files }
  /// Tensors in a shard that the index does not list; they are not part of the model.
  public var unlistedTensors: [String] { weights.unlisted }

  private let weights: WeightFiles
  /// The tensors that are stored quantized, by the names of what they stand for.
  private let quantized: [String: any QuantizedTensor]

  /// Opens the weights of a model directory.
  ///
  /// - Throws: `CheckpointError` of kind `missing` when there are none, `malformed` when index and shards disagree.
  public init(directory: String) throws(CheckpointError) {
    let directory = directory.trimmingTrailingSlashes
    self.directory = directory
    switch FileKind(of: directory) {
    case .nothing: throw CheckpointError(.missing, directory, "no such directory", remedy: "name a model directory")
    case .file, .special: throw CheckpointError(.missing, directory, "is a file", remedy: "name the directory that holds it")
    case .directory: break
    }
    weights = try Self.weights(in: directory)
    let descriptions = weights.names.compactMap { [weights] in weights.file(of: $0)?.description(of: $0) }
    let bitsAndBytes = try BitsAndBytesLayout.find(in: descriptions, of: directory) { [weights] name in
      weights.file(of: name)?.withBytes(of: name) { bytes in [UInt8](bytes) } ?? []
    }
    let settings = (try? Self.configuration(in: directory))?["quantization_config"]
    let grouped = try GroupedQuantization.find(in: descriptions, of: directory, settings: settings)
    quantized = PublishedQuantization.find(in: descriptions).merging(bitsAndBytes) { first, _ in first }.merging(grouped) { first, _ in first }
  }

  /// A model directory whose weights are a GGUF file.
  public init(directory: String, _ file: GGUFWeights) {
    self.directory = directory.trimmingTrailingSlashes
    (weights, quantized) = (WeightFiles(file), file.blocks)
  }

  private static func weights(in directory: String) throws(CheckpointError) -> WeightFiles {
    for form in WeightForm.allCases {
      let whole = "\(directory)/\(form.name)"
      if FileKind(of: whole) != .nothing { return WeightFiles(try form.open(whole)) }
      guard FileKind(of: "\(directory)/\(form.indexName)") != .nothing else { continue }
      return try WeightFiles(shardsOf: CheckpointIndex(in: directory, of: form), in: directory)
    }
    if let file = try RWKVFile.published(in: directory) { return WeightFiles(file) }
    let form = WeightForm.safetensors
    throw CheckpointError(
      .missing, directory, "no \(form.name) or \(form.indexName) in \(directory)", remedy: remedyForMissingWeights(in: directory))
  }

  /// True where some tensors are stored quantized, and read as the numbers that they stand for.
  public var isQuantized: Bool { !quantized.isEmpty }

  private static func remedyForMissingWeights(in directory: String) -> String {
    let names = (try? directoryEntries(directory)) ?? []
    if names.contains("adapter_config.json") || names.contains("adapter.h5") {
      return "this is an adapter; pass it as --adapter and its base model as the model"
    }
    if let pickled = names.first(where: { $0.hasSuffix(".bin") || $0.hasSuffix(".pt") || $0.hasSuffix(".pth") }) {
      return "\(pickled) is a PyTorch pickle; call it \(WeightForm.pytorch.name) if it holds a model's state dictionary"
    }
    if let gguf = names.first(where: { $0.hasSuffix(".gguf") }) {
      return "turn \(gguf) into one with: graft convert \(directory)/\(gguf) --to safetensors"
    }
    return "name a Hugging Face model directory"
  }

  public var name: String { directory }

  /// Every tensor there is, quantized ones under the names of what they stand for.
  public var tensorNames: [String] {
    guard isQuantized else { return weights.names }
    let nameOfPart = Dictionary(quantized.map { ($0.value.parts[0], $0.key) }) { first, _ in first }
    let others = Set(quantized.values.flatMap { $0.parts.dropFirst() })
    return weights.names.filter { !others.contains($0) }.map { nameOfPart[$0] ?? $0 }
  }

  public func contains(_ name: String) -> Bool { weights.file(of: name) != nil || quantized[name] != nil }

  /// The type and shape of the tensor called `name`, if there is one.
  public func description(of name: String) -> TensorDescription? {
    if let tensor = quantized[name] { return TensorDescription(name: name, elementType: tensor.elementType, shape: tensor.shape) }
    return weights.file(of: name)?.description(of: name)
  }

  /// The bytes of the tensors as the files hold them, quantized ones with all of their parts.
  public var byteCount: Int { weights.names.reduce(0) { $0 + (weights.file(of: $1)?.description(of: $1)?.byteCount ?? 0) } }

  /// Types and shapes of all tensors, in the order of `tensorNames`.
  public var descriptions: [TensorDescription] { tensorNames.compactMap(description(of:)) }

  /// The tensor called `name`, over mapped bytes.
  ///
  /// - Throws: `CheckpointError` of kind `malformed` when there is none, `unsupported` when its type has no tensors.
  public func tensor(_ name: String) throws(CheckpointError) -> Tensor { try weight(name).tensor }

  public func weight(_ name: String) throws(CheckpointError) -> Weight {
    guard let tensor = quantized[name] else { return .dense(try storedTensor(name)) }
    return try tensor.weight(from: self)
  }

  /// A tensor as a file holds it, a part of a quantized one among them.
  func storedTensor(_ name: String) throws(CheckpointError) -> Tensor {
    guard let file = weights.file(of: name) else { throw .malformed(directory, "the checkpoint has no tensor '\(name)'") }
    return try file.tensor(name)
  }

  /// The bytes of a tensor that a file holds, whatever its type.
  func storedBytes(_ name: String) throws(CheckpointError) -> Tensor {
    guard let file = weights.file(of: name) else { throw .malformed(directory, "the checkpoint has no tensor '\(name)'") }
    return try file.bytes(name)
  }

  /// Gives `body` the stored bytes of the tensor called `name`, whatever its type; `nil` when there is none.
  ///
  /// Those of a quantized one are its elements' alone.
  public func withBytes<Result>(of name: String, _ body: (UnsafeRawBufferPointer) -> Result) -> Result? {
    let stored = quantized[name]?.parts[0] ?? name
    return weights.file(of: stored)?.withBytes(of: stored, body)
  }

  /// Returns true where two names are of the same elements, which a file holds once, as PyTorch's files hold what is tied.
  package func holdsOnce(_ name: String, _ other: String) -> Bool {
    guard let file = weights.file(of: name), file === weights.file(of: other) else { return false }
    return file.holdsOnce(name, other)
  }

  /// Gives back the pages of a tensor that has been read and will not be soon again.
  func releasePages(of name: String) {
    let stored = quantized[name]?.parts[0] ?? name
    weights.file(of: stored)?.releasePages(of: stored)
  }

  /// The model's `config.json`, which may hold Python's `NaN` and `Infinity`.
  ///
  /// - Throws: `CheckpointError` of kind `missing` or `malformed`, with the line.
  public func configuration() throws(CheckpointError) -> JSON {
    try Self.configuration(in: directory)
  }

  /// The `config.json` of a model directory, whether or not there are weights; where it has none, but an RWKV as its authors publish it, the
  /// configuration that its tensors tell.
  ///
  /// - Throws: `CheckpointError` of kind `missing` or `malformed`, with the line.
  public static func configuration(in directory: String) throws(CheckpointError) -> JSON {
    let path = "\(directory.trimmingTrailingSlashes)/config.json"
    if FileKind(of: path) == .nothing, let file = try RWKVFile.published(in: directory) { return file.configuration }
    return try readJSON(path)
  }
}

/// Reads a JSON file whose root is an object.
///
/// - Throws: `CheckpointError` of kind `missing` or `malformed`, with the line.
package func readJSON(_ path: String) throws(CheckpointError) -> JSON {
  let json = try readAnyJSON(path)
  guard json.object != nil else { throw .malformed(path, "holds \(json.kindDescription), expected an object") }
  return json
}

/// Reads a JSON file, whatever its root.
///
/// - Throws: `CheckpointError` of kind `missing` or `malformed`, with the line.
package func readAnyJSON(_ path: String) throws(CheckpointError) -> JSON {
  let file = try MappedFile(path)
  do {
    return try file.withBytes { bytes throws(JSONError) in
      try JSON(parsing: TextFile.withoutMark(bytes), options: JSONParsingOptions(allowsNonFiniteNumbers: true))
    }
  } catch {
    throw .malformed("\(path):\(error.line):\(error.column)", error.message, remedy: "correct the JSON")
  }
}

/// Returns the content of a file that need not be there; nil where it is not.
///
/// - Throws: what `read` throws of a file that is there.
package func readIfPresent<Value>(
  _ path: String, _ read: (String) throws(CheckpointError) -> Value
) throws(CheckpointError) -> Value? {
  do {
    return try read(path)
  } catch {
    guard error.kind == .missing else { throw error }
    return nil
  }
}
