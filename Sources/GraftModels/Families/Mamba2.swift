import Foundation
import GraftJSON
import GraftLayers
import GraftTensors

extension ModelFamily {
  /// Mamba-2: state spaces whose states fade by one factor a head, in the place of attention and feed-forward (Dao and Gu 2024).
  public static let mamba2 = StateSpaceDecoder.family(
    "mamba2", classNames: "Mamba2",
    keys: [
      .read("num_heads", 128), .read("head_dim", 64), .read("state_size", 128), .read("n_groups", 8),
      .read("time_step_limit", [0.0, .number(.infinity)]), .read("tie_word_embeddings", false), .read("pad_token_id", 1, orNull: true),
    ] + ConfigurationKey.withoutEffect("chunk_size", "time_step_rank"),
    read: { try Mamba2($0, $1) }, mixer: { try $0.mixer($1, in: $2) })
}

/// The sizes and options of Mamba-2's mixers.
private struct Mamba2 {
  /// The channels of a mixer are those of all heads; a group of heads shares its inputs and outputs, of as many numbers as a state's column.
  var heads: Int, headSize: Int, groups: Int, stateSize: Int
  var stepLimits: ClosedRange<Float>

  var channels: Int { heads * headSize }
  /// The channels that the convolution runs over.
  var convolved: Int { channels + 2 * groups * stateSize }

  /// - Parameter config: resolved for the family.
  /// - Throws: `ArchitectureError` for a value that is out of range, and for values that contradict each other.
  init(_ config: ArchitectureConfiguration, _ shared: StateSpaceDecoder.Configuration) throws(ArchitectureError) {
    (heads, headSize) = (try config.count("num_heads"), try config.count("head_dim"))
    (groups, stateSize) = (try config.count("n_groups"), try config.count("state_size"))
    guard shared.expansion * Float(shared.hiddenSize) == Float(heads) * Float(headSize) else {
      throw config.fail(
        "num_heads", "\(heads) heads of \(headSize) channels are not \(shared.expansion) times hidden_size \(shared.hiddenSize)")
    }
    guard heads * headSize < 1_000_000_000, groups * stateSize < 1_000_000_000 else {
      throw config.fail("state_size", "\(heads) heads of \(headSize) channels and \(groups) groups of \(stateSize) numbers are out of range")
    }
    guard heads % groups == 0 else { throw config.fail("n_groups", "\(groups) groups do not divide \(heads) heads") }
    stepLimits = try Self.stepLimits(config)
  }

  /// The bounds of the sizes of steps, of which the upper one may be infinite.
  private static func stepLimits(_ config: ArchitectureConfiguration) throws(ArchitectureError) -> ClosedRange<Float> {
    let key = "time_step_limit"
    let limits = (config.json[key]?.array ?? []).compactMap(\.double).map { Float($0) }
    guard limits.count == 2, limits[0] >= 0, limits[0] <= limits[1] else {
      throw config.fail(key, "it must be a list of two numbers, the least and the most")
    }
    return limits[0]...limits[1]
  }

  /// The mixer of a layer.
  func mixer(_ shared: StateSpaceDecoder.Configuration, in scope: Scope) throws -> StructuredMixer {
    let convolution = scope / "conv1d"
    let stepBias = try scope.parameter("dt_bias", [heads], shared.stepBiasInitializer)
    let rates = try scope.parameter("A_log", [heads], .columns((1...heads).map { log(Float($0)) }))
    let skip = try scope.parameter("D", [heads], .ones)
    let kernel = try convolution.parameter("weight", [convolved, 1, shared.kernel], shared.kernelInitializer)
    let kernelBias = shared.hasKernelBias ? try convolution.parameter("bias", [convolved], .zeros) : nil
    let input = try Linear(
      scope / "in_proj", in: shared.hiddenSize, out: channels + convolved + heads, bias: shared.hasBias, role: .stateInput,
      initializer: shared.initializer)
    let norm = try (scope / "norm").parameter("weight", [channels], .ones)
    let output = try Linear(
      scope / "out_proj", in: channels, out: shared.hiddenSize, bias: shared.hasBias, role: .stateOutput,
      initializer: shared.outputInitializer(channels: channels))
    let layers = StructuredMixer.Layers(
      input: input, kernel: kernel, kernelBias: kernelBias, stepBias: stepBias, rates: rates, skip: skip, normWeight: norm, output: output)
    return StructuredMixer(
      scope, layers, StructuredMixer.Options(groups: groups, steps: stepLimits, epsilon: shared.epsilon),
      activation: try Nonlinearity(shared.activation, in: scope / "act"))
  }
}
