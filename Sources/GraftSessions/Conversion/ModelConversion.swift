import GraftBatching
import GraftCheckpoints
import GraftJSON
import GraftLayers
import GraftModels
import GraftTensors

/// The conversion of models between the forms in which they are published.
public enum ModelConversion {
  /// The form of the result.
  public enum Format: String, Sendable, CaseIterable {
    /// A checkpoint directory with safetensors files.
    case safetensors
    /// A checkpoint directory with PyTorch's pickles.
    case pytorch
    /// A file for llama.cpp.
    case gguf
  }

  /// The findings of a conversion.
  public struct Report {
    /// The number of tensors that were written.
    public let tensors: Int
    /// Remarks for users of the result.
    public let notes: [String]
  }

  /// The bytes of tensors in one file of a directory: as many as Transformers puts there, fewer where zip files would need another layout.
  private static let shardBytes: [WeightForm: Int] = [.safetensors: 5_000_000_000, .pytorch: 3_900_000_000]

  /// Writes a model in another form, one tensor after another.
  ///
  /// - Parameters:
  ///   - source: a checkpoint directory of safetensors or of PyTorch, a `.gguf` file, or the first of its shards.
  ///   - output: a directory, or a file for llama.cpp.
  ///   - dtype: the type of floating-point tensors; as they are stored where nil.
  ///   - shardBytes: the bytes of tensors in one file of a directory; the usual number where nil.
  ///   - overwrites: true where an earlier result makes way.
  /// - Throws: `SessionError` for values beyond the range of a type and for models that llama.cpp does not run; what reading and writing throw.
  public static func write(
    _ source: String, as format: Format, to output: String, dtype: ElementFormat? = nil, shardBytes: Int? = nil, overwrites: Bool = false
  ) throws -> Report {
    if format == .gguf {
      try OutputPlace.file(output, apartFrom: [source])
      return try writeGGUF(try ConvertibleModel(source), to: output, dtype)
    }
    let folder = FileKind(of: source) == .directory ? source : nil
    let replacement = try OutputPlace.directory(
      output, apartFrom: [source], overwrites: overwrites, replaceable: try ModelDirectoryWriter.replaceable(copyingFilesFrom: folder))
    let form: WeightForm = format == .pytorch ? .pytorch : .safetensors
    let writer = ModelDirectoryWriter(
      directory: output, form: form, maximumShardBytes: shardBytes ?? Self.shardBytes[form], replacing: replacement)
    return try write(try ConvertibleModel(source), dtype, with: writer)
  }

  private static func write(_ model: ConvertibleModel, _ dtype: ElementFormat?, with writer: ModelDirectoryWriter) throws -> Report {
    var configuration = model.configuration
    if let dtype { configuration[configuration["dtype"] == nil ? "torch_dtype" : "dtype"] = .string(dtype.description) }
    let stored = Dictionary(model.descriptions.map { ($0.name, $0) }) { first, _ in first }
    let descriptions = model.descriptions.map { description in
      guard let dtype, description.elementType.dtype?.isFloatingPoint == true else { return description }
      return TensorDescription(name: description.name, elementType: ElementType(dtype), shape: description.shape)
    }
    var previous: Tensor?
    try writer.write(descriptions, configuration: configuration, copyingFilesFrom: model.companion, files: model.files) { description in
      previous?.releaseMappedPages()
      let tensor = try model.tensor(stored[description.name] ?? description)
      previous = tensor
      return try converted(tensor, to: description.elementType, description.name)
    }
    return Report(tensors: descriptions.count, notes: model.notes)
  }

  private static func writeGGUF(_ model: ConvertibleModel, to output: String, _ dtype: ElementFormat?) throws -> Report {
    let task = LearningTask(of: model.configuration)
    guard task == .causalLM else {
      throw SessionError(.data, "\(model.path): is for \(task.rawValue), and llama.cpp's files are written of language models; use --to safetensors")
    }
    let (configuration, outline) = try outlined(model)
    let writer = try GGUFModelWriter(configuration, outline.catalog, source: model.path)
    let stored = Dictionary(model.descriptions.map { ($0.name, $0) }) { first, _ in first }
    func description(of entry: GGUFTensorMap.Entry) throws -> TensorDescription {
      let names = [entry.path] + (outline.family?.tensors.aliases(of: entry.path) ?? [])
      guard let found = names.lazy.compactMap({ stored[$0] }).first else {
        throw SessionError(.data, "\(model.path): has no tensor \(entry.path), which its configuration asks for; fetch the checkpoint again")
      }
      guard found.shape == entry.shape else {
        throw SessionError(.data, "\(model.path): \(found.name) has shape \(found.shape); its configuration implies \(entry.shape)")
      }
      return found
    }
    func type(of entry: GGUFTensorMap.Entry) throws -> ElementFormat {
      let own = try description(of: entry).elementType.dtype ?? .float32
      return dtype ?? ([.float16, .bfloat16].contains(own) ? own : .float32)
    }
    var previous: Tensor?
    let name = model.path.split(separator: "/").last.map(String.init) ?? model.path
    try writer.write(name, try model.vocabulary(), to: output, type: type) { entry in
      previous?.releaseMappedPages()
      let tensor = try model.tensor(try description(of: entry))
      previous = tensor
      return .dense(entry.isExact ? tensor : try converted(tensor, to: ElementType(try type(of: entry)), entry.path))
    }
    return Report(tensors: writer.map.entries.count, notes: model.notes + writer.notes)
  }

  /// The configuration and the outline of a model whose head has a matrix of its own where its tensors say so.
  private static func outlined(_ model: ConvertibleModel) throws -> (configuration: JSON, any Model) {
    func outline(_ configuration: JSON) throws -> any Model {
      let source = ArchitectureConfiguration(configuration, source: model.path)
      return try ModelFamily.build(ModelRequest(source), in: Scope(outlining: SiteCatalog()))
    }
    let tied = try outline(model.configuration)
    let stored = Dictionary(model.descriptions.map { ($0.name, $0) }) { first, _ in first }
    for (path, parameter) in tied.catalog.sharedParameters {
      let names = [parameter.path] + (tied.family?.tensors.aliases(of: parameter.path) ?? [])
      guard let own = stored[path], let table = names.lazy.compactMap({ stored[$0] }).first,
        try model.tensor(own).converted(to: .float32).values != model.tensor(table).converted(to: .float32).values
      else { continue }
      var configuration = model.configuration
      configuration["tie_word_embeddings"] = false
      return (configuration, try outline(configuration))
    }
    return (model.configuration, tied)
  }

  /// A tensor in another type.
  /// - Throws: `SessionError` for a value that the type would have as an infinity.
  private static func converted(_ tensor: Tensor, to type: ElementType, _ name: String) throws -> Tensor {
    guard let format = type.dtype, format != tensor.dtype else { return tensor }
    let result = tensor.converted(to: format)
    guard format != .float32, tensor.firstNonFiniteIndex == nil,
      let index = result.converted(to: .float32).firstNonFiniteIndex
    else { return result }
    let value = tensor.converted(to: .float32).values[index]
    throw SessionError(
      .data, "\(name): \(value) is beyond the range of \(format); use --dtype \(format == .float16 ? "bfloat16 or float32" : "float32")")
  }
}
