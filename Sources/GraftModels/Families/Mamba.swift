import Foundation
import GraftLayers
import GraftTensors

extension ModelFamily {
  /// Mamba: selective state spaces in the place of attention and feed-forward (Gu and Dao 2023).
  public static let mamba = StateSpaceDecoder.family(
    "mamba", classNames: "Mamba",
    keys: [
      .read("state_size", 16), .optional("intermediate_size"), .read("time_step_rank", "auto"), .read("time_step_scale", 1.0),
      .read("time_step_init_scheme", "random"), .read("tie_word_embeddings", true), .read("pad_token_id", 0, orNull: true),
    ] + ConfigurationKey.withoutEffect("use_mambapy", "use_associative_scan"),
    read: { try Mamba($0, $1) }, mixer: { try $0.mixer($1, in: $2) })
}

/// The sizes and options of Mamba's mixers.
private struct Mamba {
  /// The channels of a mixer, the numbers that each keeps, and the width of the row that step sizes are made of.
  var channels: Int, stateSize: Int, stepRank: Int
  var stepInitializer: Initializer

  /// - Parameter config: resolved for the family.
  /// - Throws: `ArchitectureError` for a value that is out of range.
  init(_ config: ArchitectureConfiguration, _ shared: StateSpaceDecoder.Configuration) throws(ArchitectureError) {
    let width = shared.expansion * Float(shared.hiddenSize)
    guard 1..<1e9 ~= width else {
      throw config.fail("expand", "\(shared.expansion) times hidden_size \(shared.hiddenSize) is out of range")
    }
    channels = try config.count("intermediate_size", default: Int(width))
    stateSize = try config.count("state_size")
    stepRank = config.json["time_step_rank"]?.string == "auto" ? (shared.hiddenSize + 15) / 16 : try config.count("time_step_rank")
    let bound = try config.positiveFloat("time_step_scale") / Float(stepRank).squareRoot()
    switch try config.string("time_step_init_scheme") {
    case "random": stepInitializer = .uniform(bound: bound)
    case "constant": stepInitializer = .constant(bound)
    case let scheme: throw config.fail("time_step_init_scheme", "unsupported scheme \"\(scheme)\"; it must be random or constant")
    }
  }

  /// The mixer of a layer.
  func mixer(_ shared: StateSpaceDecoder.Configuration, in scope: Scope) throws -> MambaMixer {
    func linear(_ name: String, _ inputs: Int, _ outputs: Int, bias: Bool, _ role: Role, _ initializer: Initializer) throws -> Linear {
      try Linear(
        scope / name, in: inputs, out: outputs, bias: bias, role: role, initializer: initializer,
        biasInitializer: role == .stateStep ? shared.stepBiasInitializer : .zeros)
    }
    let convolution = scope / "conv1d"
    let rates = try scope.parameter("A_log", [channels, stateSize], .columns((1...stateSize).map { log(Float($0)) }))
    let skip = try scope.parameter("D", [channels], .ones)
    let kernel = try convolution.parameter("weight", [channels, 1, shared.kernel], shared.kernelInitializer)
    let kernelBias = shared.hasKernelBias ? try convolution.parameter("bias", [channels], .zeros) : nil
    let layers = MambaMixer.Layers(
      input: try linear("in_proj", shared.hiddenSize, 2 * channels, bias: shared.hasBias, .stateInput, shared.initializer), kernel: kernel,
      kernelBias: kernelBias,
      parameters: try linear("x_proj", channels, stepRank + 2 * stateSize, bias: false, .stateParameters, shared.initializer),
      step: try linear("dt_proj", stepRank, channels, bias: true, .stateStep, stepInitializer), rates: rates, skip: skip,
      output: try linear(
        "out_proj", channels, shared.hiddenSize, bias: shared.hasBias, .stateOutput, shared.outputInitializer(channels: channels)))
    return MambaMixer(scope, layers, activation: try Nonlinearity(shared.activation, in: scope / "act"))
  }
}
