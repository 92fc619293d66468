import Foundation
import GraftConfiguration
import GraftLayers
import GraftTensors

/// A weight's change given by a few of its Fourier coefficients: `ΔW = s Re F⁻¹(C)`, with `C` zero but at places drawn once.
///
/// Gao et al. 2024, "Parameter-efficient fine-tuning with discrete Fourier transform". A coefficient `c` at `(u, v)` is the
/// wave `c cos(2π (u m / out + v n / in))`, which is two products of a column and a row: so `ΔW x` needs no matrix of its own.
public struct FourierFT: LayerTargetedMethod {
  public static let name = "FOURIERFT"
  public static let defaultLearningRate = 5e-2
  public static let card = MethodCard(
    title: "FourierFT", formula: "`W x + b + s Re F⁻¹(C) x`, `C` of few coefficients", parameters: "`n_frequency` a target",
    seam: "linear layers", source: "Gao et al. 2024")

  /// Coefficients of a target.
  package var nFrequency = 1000
  package var scaling = 150.0
  /// The seed of PyTorch's generator that draws the places.
  package var randomLocSeed = 777
  public var targetKeys = TargetKeys()
  package var bias = BiasTraining.none
  package var nFrequencyPattern = ConfigTree.mapping(ConfigMapping())
  /// True where the coefficients start at zero, rather than normally distributed.
  package var initWeights = false

  public init() {}

  public func attach(to sites: SiteCatalog, in attachment: Attachment) throws {
    let layers = try targets.linears(in: sites, for: attachment)
    let counts = try FrequencyCounts(nFrequency, nFrequencyPattern, for: layers, in: attachment)
    var known: [Shape: Waves] = [:]
    for layer in layers {
      let count = try counts[layer]
      let size: Shape = [layer.outputSize, layer.inputSize, count]
      let waves = known[size] ?? Waves(outputs: size[0], inputs: size[1], count: count, seed: randomLocSeed)
      known[size] = waves
      let coefficients = try (attachment.scope / layer.path).parameter(
        "fourierft_spectrum", [count], initWeights ? .zeros : .normal(standardDeviation: 1))
      try attachment.fill(layer, with: SpectralAdapter(coefficients, waves, scale: Float(scaling / Double(size[0] * size[1]))))
    }
    try attachment.adoptBiases(bias, of: sites, targets: layers, saved: modulesToSave ?? [])
    try attachment.adoptModules(modulesToSave ?? [], of: sites)
  }
}

/// The numbers of coefficients of targets, which patterns may set apart.
struct FrequencyCounts {
  private let common: Int
  private let patterns: PatternTable

  /// - Throws: `TuningError` for a pattern that is damaged or of no use.
  init(_ common: Int, _ tree: ConfigTree, for layers: [Linear], in attachment: Attachment) throws(TuningError) {
    self.common = common
    patterns = try PatternTable("n_frequency_pattern", tree.numbers)
    try patterns.requireUse(by: layers.map(\.path), in: attachment)
  }

  subscript(layer: Linear) -> Int {
    get throws(TuningError) {
      let count = patterns[layer.path].map { Int($0) } ?? common
      let size = layer.inputSize * layer.outputSize
      guard (1...size).contains(count) else {
        throw TuningError("n_frequency: is \(count); \(layer.path) has \(size) elements; take at least 1 and at most so many")
      }
      return count
    }
  }

  /// The places of the first coefficients, row by row, as PyTorch's generator draws them.
  static func places(outputs: Int, inputs: Int, count: Int, seed: Int) -> [(row: Int, column: Int)] {
    var generator = TorchGenerator(seed: UInt64(bitPattern: Int64(seed)))
    return generator.permutation(of: outputs * inputs, prefix: count).map { ($0 / inputs, $0 % inputs) }
  }
}

/// The waves of a matrix's coefficients, which layers of the same size share.
private struct Waves {
  /// `[2 count, in]`: cosines and sines along the columns.
  let rows: Tensor
  /// `[out, 2 count]`: cosines and negated sines along the rows.
  let columns: Tensor

  init(outputs: Int, inputs: Int, count: Int, seed: Int) {
    let places = FrequencyCounts.places(outputs: outputs, inputs: inputs, count: count, seed: seed)
    func circle(_ size: Int) -> [(cosine: Float, sine: Float)] {
      (0..<size).map { step in
        let angle = 2 * Double.pi * Double(step) / Double(size)
        return (Float(cos(angle)), Float(sin(angle)))
      }
    }
    let (across, down) = (circle(inputs), circle(outputs))
    rows = Tensor(
      places.flatMap { place in (0..<inputs).map { across[place.column * $0 % inputs].cosine } }
        + places.flatMap { place in (0..<inputs).map { across[place.column * $0 % inputs].sine } }, [2 * count, inputs])
    columns = Tensor(
      (0..<outputs).flatMap { row in
        places.map { down[$0.row * row % outputs].cosine } + places.map { -down[$0.row * row % outputs].sine }
      }, [outputs, 2 * count])
  }
}

/// Waves with trained coefficients beside a linear layer.
private final class SpectralAdapter: AdditiveAdapter {
  /// `[count]`.
  let coefficients: Parameter
  let waves: Waves
  let scale: Float

  init(_ coefficients: Parameter, _ waves: Waves, scale: Float) { (self.coefficients, self.waves, self.scale) = (coefficients, waves, scale) }

  func change(_ x: Tensor, addingTo base: consuming Tensor, _ pass: Pass) -> Tensor {
    let count = coefficients.shape[0]
    let each = coefficients.operand.reshaped(to: [count, 1])
    let twice = concatenateRows([each, each]).reshaped(to: [2 * count])
    return linear(scaleColumns(linear(x, waves.rows), by: twice), waves.columns, scale: scale, addingTo: base)
  }
}
