import GraftBatching
import GraftCheckpoints
import GraftLayers
import GraftModels
import GraftTensors

/// The quantization of a model's files.
public enum ModelQuantization {
  /// The findings of a quantization.
  public struct Report {
    /// The matrices that were quantized.
    public let matrices: Int
    /// The relative error of their elements: the root of the squares that they lost by those that they had.
    public let relativeError: Double
    /// Remarks for users of the result.
    public let notes: [String]
  }

  /// Writes a model with the matrices of its linear layers quantized, but for heads and routers: as a checkpoint of Transformers, or for
  /// ggml's blocks as a directory with a GGUF file, which is a model here and whose file llama.cpp runs.
  ///
  /// - Parameters:
  ///   - model: a checkpoint directory.
  ///   - overwrites: true where an earlier result makes way.
  /// - Throws: `SessionError` for a model that is quantized already and for a quantization without files, and what reading and writing throw.
  public static func write(_ model: String, as quantization: WeightQuantization, to output: String, overwrites: Bool = false) throws -> Report {
    guard let layout = quantization.layout else {
      let known = WeightQuantization.allCases.filter { $0.layout != nil }.map(\.rawValue).joined(separator: ", ")
      throw SessionError(
        .usage, "--format \(quantization): no program has files of it; name it as model.quantization in a recipe, or write one of \(known)")
    }
    let replacement = try OutputPlace.directory(
      output, apartFrom: [model], overwrites: overwrites, replaceable: try ModelDirectoryWriter.replaceable(copyingFilesFrom: model))
    let checkpoint = try Checkpoint(ofModel: model)
    guard !checkpoint.isQuantized else {
      throw SessionError(.data, "\(model): is quantized already; take the checkpoint as it was before, or make it one with: graft merge --dequantize")
    }
    let writer = ModelDirectoryWriter(directory: output, replacing: replacement)
    switch layout {
    case .transformers: return try writeTensors(checkpoint, as: quantization, with: writer)
    case .gguf: return try writeGGUF(checkpoint, as: quantization, with: writer)
    }
  }

  /// Writes a checkpoint of Transformers, in which experts stay as they are. One matrix at a time is in memory beside the result.
  private static func writeTensors(_ checkpoint: Checkpoint, as quantization: WeightQuantization, with writer: ModelDirectoryWriter) throws -> Report
  {
    let model = checkpoint.directory
    let configuration = try checkpoint.configuration()
    let request = ModelRequest(
      ArchitectureConfiguration(configuration, source: "\(model)/config.json"), task: LearningTask(of: configuration))
    let outline = try ModelFamily.build(request, in: Scope(outlining: SiteCatalog()))
    let aliases = outline.family?.tensors.aliases(of:) ?? { _ in [] }
    var quantized = QuantizedCheckpoint(checkpoint, as: quantization)
    var (count, skipped, experts) = (0, [String](), 0)
    for layer in outline.catalog.linears {
      let isExpert = [.expertGate, .expertUp, .expertDown].contains(layer.role)
      if isExpert { experts += 1 }
      guard let name = ([layer.path + ".weight"] + aliases(layer.path + ".weight")).first(where: checkpoint.contains),
        layer.isQuantizable, !isExpert, !isExact(layer, in: outline)
      else {
        skipped.append(layer.path)
        continue
      }
      try quantized.quantize(name, layer.layout)
      count += 1
    }
    guard count > 0 else { throw nothingToQuantize(in: model) }
    try quantized.write(skipping: skipped, with: writer)
    let notes = experts == 0 ? [] : ["the matrices of \(experts) experts' layers stay as they are, since Transformers reads no quantized ones"]
    return Report(matrices: count, relativeError: quantized.relativeError, notes: notes)
  }

  /// Writes a GGUF file beside the model's configuration and tokenizer; what is not quantized keeps the type that most of the model has.
  private static func writeGGUF(_ checkpoint: Checkpoint, as quantization: WeightQuantization, with writer: ModelDirectoryWriter) throws -> Report {
    let model = checkpoint.directory
    let largest = checkpoint.descriptions.max { $0.elementCount < $1.elementCount }
    let dtype = largest?.elementType.dtype ?? .float32
    let session = try ModelSession(model: model, adapters: [], frozenType: dtype, quantization: quantization)
    let aliases = session.model.family?.tensors.aliases(of:) ?? { _ in [] }
    var (count, left, lost, whole) = (0, 0, 0.0, 0.0)
    for layer in session.model.catalog.linears where layer.isQuantizable {
      guard case .blocks = layer.weight.stored, let name = ([layer.weight.path] + aliases(layer.weight.path)).first(where: checkpoint.contains) else {
        left += 1
        continue
      }
      let stored = try checkpoint.tensor(name)
      let values = stored.converted(to: .float32)
      lost += (values - layer.weight.dense()).sumOfSquares
      whole += values.sumOfSquares
      stored.releaseMappedPages()
      count += 1
    }
    guard count > 0 else { throw nothingToQuantize(in: model) }
    var notes = left == 0 ? [] : ["\(left) matrices whose rows are no whole blocks stay as they are"]
    try writer.write(configuration: try checkpoint.configuration(), copyingFilesFrom: model) { folder in
      notes += try AdapterOperations.writeGGUF(session, dtype: dtype, to: "\(folder)/model.gguf")
    }
    return Report(matrices: count, relativeError: whole > 0 ? (lost / whole).squareRoot() : 0, notes: notes)
  }

  private static func nothingToQuantize(in model: String) -> SessionError {
    SessionError(.data, "\(model): has no linear layer to quantize in this format")
  }

  /// True for a layer that Transformers keeps in float32 whatever is asked for (`_keep_in_fp32_modules` of T5).
  private static func isExact(_ layer: Linear, in model: any Model) -> Bool { model.modelType == "t5" && layer.path.hasSuffix(".wo") }
}
