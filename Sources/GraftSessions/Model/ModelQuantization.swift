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

  /// Writes a model with the matrices of its linear layers quantized as bitsandbytes does, but for heads, routers and experts.
  ///
  /// One matrix at a time is in memory beside the result.
  /// - Parameters:
  ///   - model: a checkpoint directory.
  ///   - overwrites: true where an earlier result makes way.
  /// - Throws: `SessionError` for a model that is quantized already, and what reading and writing throw.
  public static func write(_ model: String, as quantization: WeightQuantization, to output: String, overwrites: Bool = false) throws -> Report {
    let replacement = try OutputPlace.directory(
      output, apartFrom: [model], overwrites: overwrites, replaceable: try ModelDirectoryWriter.replaceable(copyingFilesFrom: model))
    let checkpoint = try Checkpoint(ofModel: model)
    guard !checkpoint.isQuantized else {
      throw SessionError(.data, "\(model): is quantized already; take the checkpoint as it was before, or make it one with: graft merge --dequantize")
    }
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
    guard count > 0 else { throw SessionError(.data, "\(model): has no linear layer to quantize") }
    try quantized.write(skipping: skipped, with: ModelDirectoryWriter(directory: output, replacing: replacement))
    let notes = experts == 0 ? [] : ["the matrices of \(experts) experts' layers stay as they are, since Transformers reads no quantized ones"]
    return Report(matrices: count, relativeError: quantized.relativeError, notes: notes)
  }

  /// True for a layer that Transformers keeps in float32 whatever is asked for (`_keep_in_fp32_modules` of T5).
  private static func isExact(_ layer: Linear, in model: any Model) -> Bool { model.modelType == "t5" && layer.path.hasSuffix(".wo") }
}
