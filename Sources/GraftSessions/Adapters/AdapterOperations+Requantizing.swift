import GraftCheckpoints
import GraftLayers
import GraftTensors

extension AdapterOperations {
  /// The findings of a merge into a quantized base.
  public struct RequantizationReport {
    /// The quantization of the base, and of the result.
    public let quantization: WeightQuantization
    /// The matrices that were quantized again.
    public let matrices: Int
    /// The relative error of their elements: the root of the squares that they lost by those that they had.
    public let relativeError: Double
    /// The largest and the mean change of a log-probability on a probe: from the adapted model to what was written of it.
    public let largestChange: Float, meanChange: Float
    /// Remarks for users of the result.
    public let notes: [String]
  }

  /// Writes a quantized base with adapters folded in, quantized again as it was.
  ///
  /// The sums are written unquantized beside the result first, in the types that the base's matrices had before; that copy is removed.
  /// - Parameters: as for `merge`.
  /// - Throws: `SessionError` for a base that is not quantized; what merging and quantizing throw.
  public static func mergeRequantized(
    model: String, adapters: [WeightedAdapter], combination: AdapterCombination? = nil, to output: String, ignoresFingerprint: Bool = false,
    overwrites: Bool = false
  ) throws -> RequantizationReport {
    _ = try OutputPlace.directory(
      output, apartFrom: [model] + adapters.map(\.path), overwrites: overwrites,
      replaceable: try ModelDirectoryWriter.replaceable(copyingFilesFrom: model))
    let (quantization, adapted) = try probed(
      try ModelSession(model: model, adapters: adapters, combination: combination, ignoresFingerprint: ignoresFingerprint))
    guard let quantization else { throw SessionError(.usage, "\(model): is not quantized; leave out --requantize") }
    let scratch = try AtomicDirectory(at: output.trimmingTrailingSlashes + ".unquantized", replacing: .none)
    defer { scratch.discard() }
    let merged = "\(scratch.temporaryPath)/model"
    let sum = try merge(
      model: model, adapters: adapters, combination: combination, to: merged, dtype: nil, ignoresFingerprint: ignoresFingerprint, dequantizes: true)
    let report = try ModelQuantization.write(merged, as: quantization, to: output, overwrites: overwrites)
    let written = try probed(try ModelSession(model: output)).values
    let changes = zip(adapted, written).map { abs($0 - $1) }
    return RequantizationReport(
      quantization: quantization, matrices: report.matrices, relativeError: report.relativeError, largestChange: changes.max() ?? 0,
      meanChange: changes.reduce(0, +) / Float(max(1, changes.count)), notes: sum.notes + report.notes)
  }

  /// The quantization of a model, nil where it has none, and its results on a few runs of random tokens.
  private static func probed(_ session: ModelSession) throws -> (quantization: WeightQuantization?, values: [Float]) {
    // Rows that are no whole blocks may have another format than most.
    let formats = Dictionary(grouping: session.model.catalog.parameters.map(\.stored.format).compactMap(WeightQuantization.init(of:))) { $0 }
    let usual = formats.max { ($0.value.count, $1.key.rawValue) < ($1.value.count, $0.key.rawValue) }?.key
    let length = min(32, session.model.maximumLength ?? 32)
    let stream = RandomStream(seed: 0).split("probe")
    let values = try (0..<4).flatMap { run in
      let numbers = stream.split("\(run)").uniform([length], in: 0..<1).values
      return try MergeCheck.probe(session, numbers.map { Int32(Float(session.model.vocabularySize - 1) * $0) })
    }
    try session.requireFinite(values)
    return (usual, values)
  }
}
