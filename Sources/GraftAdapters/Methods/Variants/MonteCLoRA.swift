import GraftLayers
import GraftTensors

/// Monte Carlo LoRA: noise around the first factor while it is trained, whose spread is learned; what is used afterwards is LoRA.
///
/// Sengupta et al. 2024, "Robust and efficient fine-tuning of LLMs with Bayesian reparameterization". Adapters that PEFT trained are read
/// and written whole; to train one is refused.
struct MonteCLoRA: LoRAVariant, Codable, Sendable, Hashable {
  /// The number of samples whose mean is the noise.
  var numSamples = 8
  var useEntropy = false
  var dirichletPrior = 0.1
  var sampleScaler = 1e-4
  var klLossWeight = 1e-5
  var bufferSize = 150

  init() {}

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    numSamples = try container.decodeIfPresent(Int.self, forKey: .numSamples) ?? 8
    useEntropy = try container.decodeIfPresent(Bool.self, forKey: .useEntropy) ?? false
    dirichletPrior = try container.decodeIfPresent(Double.self, forKey: .dirichletPrior) ?? 0.1
    sampleScaler = try container.decodeIfPresent(Double.self, forKey: .sampleScaler) ?? 1e-4
    klLossWeight = try container.decodeIfPresent(Double.self, forKey: .klLossWeight) ?? 1e-5
    bufferSize = try container.decodeIfPresent(Int.self, forKey: .bufferSize) ?? 150
  }

  func adapter(for layer: Linear, rank: Int, scale: Float, of method: LoRA, in attachment: Attachment) throws -> any LinearAdapter {
    guard numSamples > 0 else { throw TuningError("monteclora_config: num_samples is \(numSamples); there is at least 1") }
    try attachment.object("monteclora_config: its noise in training is not to be had here, and without it this is LoRA; leave it out to train")
    let (a, b) = try method.makeFactors(of: layer, a: [rank, layer.inputSize], b: [layer.outputSize, rank], in: attachment)
    let sampler = attachment.scope / layer.path / "lora_monteclora_sampler"
    let shapes: [(String, Shape)] = [
      ("std_prior", [rank]), ("expert_weights_prior", [numSamples]), ("gaussian_var_prior", [rank, rank]), ("expert_weights", [numSamples]),
    ]
    for (name, shape) in shapes { try sampler.parameter(name, shape, .zeros).isTrainable = false }
    return LowRankAdapter(LowRankFactors(a: a, b: b, bias: nil, scale: scale, dropout: Float(method.loraDropout)))
  }
}
