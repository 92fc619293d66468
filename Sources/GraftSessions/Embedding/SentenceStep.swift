import GraftCheckpoints
import GraftModels
import GraftTensors

/// A module of sentence-transformers behind the hidden states.
enum SentenceStep {
  /// Vectors of hidden states, one behind the other where there are several ways.
  case pooling([Pooling], includesPrompt: Bool)
  case dense(Projection)
  /// Vectors of length 1.
  case normalize
  case layerNorm(weight: Tensor, bias: Tensor)

  /// A linear map with an activation.
  struct Projection {
    /// `[outputs, inputs]`.
    let weight: Tensor
    let bias: Tensor?
    let activation: Activation
    /// True where the input is added to the output, and the map that makes it as wide: `[outputs, inputs]`.
    let residual: (isAdded: Bool, weight: Tensor?)

    /// - Parameter x: `[texts, inputs]`.
    func callAsFunction(_ x: Tensor) -> Tensor {
      let y = activate(linear(x, weight, bias: bias), activation)
      guard residual.isAdded else { return y }
      return y + (residual.weight.map { linear(x, $0, bias: nil) } ?? x)
    }
  }

  /// Nil for a module that does nothing when a model is used.
  ///
  /// - Throws: `ArchitectureError` for an impossible value, `CheckpointError` for damaged weights, `SessionError` for a type that is
  ///   not supported.
  init?(_ type: String, folder: String, _ keys: ArchitectureConfiguration) throws {
    switch type {
    case "Dropout": return nil
    case "Pooling": self = .pooling(try Self.poolings(keys), includesPrompt: try keys.bool("include_prompt", default: true))
    case "Normalize":
      try Self.requireSentences(keys)
      self = .normalize
    case "Dense":
      try Self.requireSentences(keys)
      self = .dense(try Self.projection(folder, keys))
    case "LayerNorm":
      let weights = try Self.weights(in: folder)
      let width = try keys.count("dimension")
      self = .layerNorm(weight: try weights("norm.weight", [width]), bias: try weights("norm.bias", [width]))
    default:
      throw SessionError(
        .data, "\(folder): a module of type \(type) is not supported; supported are Pooling, Dense, Normalize, LayerNorm and Dropout")
    }
  }

  /// In the order in which sentence-transformers puts the vectors of older configurations.
  private static func poolings(_ keys: ArchitectureConfiguration) throws -> [Pooling] {
    if let value = keys.json["pooling_mode"], !value.isNull {
      return try (value.array ?? [value]).map { name in
        guard let mode = name.string.flatMap(Pooling.init(sentenceTransformersName:)) else {
          throw keys.fail("pooling_mode", "unknown \(name.serialized()); known are cls, max, mean, mean_sqrt_len_tokens, weightedmean and lasttoken")
        }
        return mode
      }
    }
    let switches: [(String, Pooling)] = [
      ("cls_token", .cls), ("max_tokens", .max), ("mean_tokens", .mean), ("mean_sqrt_len_tokens", .meanOverRoot),
      ("weightedmean_tokens", .weightedMean), ("lasttoken", .last),
    ]
    let modes = try switches.filter { try keys.bool("pooling_mode_\($0.0)", default: false) }.map(\.1)
    return modes.isEmpty ? [.mean] : modes
  }

  private static func projection(_ folder: String, _ keys: ArchitectureConfiguration) throws -> Projection {
    let inputs = try keys.count("in_features")
    let outputs = try keys.count("out_features")
    let weights = try weights(in: folder)
    let isResidual = try keys.bool("use_residual", default: false)
    return Projection(
      weight: try weights("linear.weight", [outputs, inputs]),
      bias: try keys.bool("bias", default: true) ? weights("linear.bias", [outputs]) : nil, activation: try activation(keys),
      residual: (isResidual, isResidual && inputs != outputs ? try weights("residual.weight", [outputs, inputs]) : nil))
  }

  /// The class of torch that `activation_function` names; the hyperbolic tangent where it names none.
  private static func activation(_ keys: ArchitectureConfiguration) throws -> Activation {
    let key = "activation_function"
    let name = try keys.string(key, default: "Tanh")
    switch name.split(separator: ".").last {
    case "Tanh": return .tanh
    case "Identity": return .identity
    case "ReLU": return .relu
    case "GELU": return .gelu
    case "SiLU": return .silu
    case "Sigmoid": return .sigmoid
    default: throw keys.fail(key, "unsupported \(name); supported are Tanh, Identity, ReLU, GELU, SiLU and Sigmoid")
    }
  }

  /// Refuses a module that works on the vectors of tokens.
  private static func requireSentences(_ keys: ArchitectureConfiguration) throws(ArchitectureError) {
    for key in ["module_input_name", "module_output_name"] where keys.contains(key) {
      let name = try keys.string(key)
      guard name == "sentence_embedding" else { throw keys.fail(key, "unsupported \(name); sentence_embedding is supported") }
    }
  }

  /// The weights of a module, by name and shape.
  private static func weights(in folder: String) throws -> (String, Shape) throws -> Tensor {
    let names = ["model.safetensors", "pytorch_model.bin"].map { "\(folder)/\($0)" }
    var tensors: [String: Tensor] = [:]
    if let file = try readIfPresent(names[0], SafetensorsFile.init) {
      for name in file.tensorNames { tensors[name] = try file.tensor(name) }
    } else {
      for (name, tensor) in try TorchArchive.read(names[1]) { tensors[name] = tensor }
    }
    return { name, shape in
      guard let tensor = tensors[name] else { throw CheckpointError(.malformed, folder, "has no tensor '\(name)'", remedy: "fetch it again") }
      guard tensor.shape == shape else {
        throw CheckpointError(.malformed, folder, "'\(name)' has shape \(tensor.shape), and its config.json says \(shape)", remedy: "fetch it again")
      }
      return tensor.converted(to: .float32)
    }
  }
}
