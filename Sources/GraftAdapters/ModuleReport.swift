import GraftCheckpoints
import GraftLayers
import GraftTensors

/// The part of a delta at one module.
public struct ModuleReport: Sendable {
  /// The module's path in the base.
  public var path: String
  /// The kind of the part: a linear layer's or an embedding's adapter, a prompt, replaced values, ...; nil where no base is at hand.
  public var kind: String?
  /// The base's own weight there.
  public var shape: [Int]?
  /// Of the factors, where there are some.
  public var rank: Int?
  /// Values that the delta has there.
  public var parameterCount: Int
  /// The Frobenius norm of what the delta adds to the weight; nil where no weight could express it, or not without the base.
  public var changeNorm: Double?
}

extension Delta {
  /// Every site that the method fills or replaces, in the base's order of attachment, and what several of them share.
  public var modules: [ModuleReport] {
    let adopted = Set(changes.adopted.map(\.key))
    let stored = parameters.filter { !adopted.contains($0.key) }.map { (key: $0.key, tensor: $0.parameter.value) }
    var shared = stored
    let modules = zip(changes.seams, attachment.seamKeys).map { seam, keys in
      let made = stored.filter { keys.contains($0.key) }
      let named = stored.filter { $0.key.contains(seam.path + ".") }
      // What stands below a block may be that of its modules.
      let own = made.isEmpty || named.contains { keys.contains($0.key) } ? named : made
      shared.removeAll { entry in own.contains { $0.key == entry.key } }
      return ModuleReport(
        path: seam.path, kind: seam.kind, shape: seam.shape, rank: ModuleReport.rank(of: own),
        parameterCount: own.reduce(0) { $0 + $1.tensor.elementCount },
        changeNorm: seam.changeNorm)
    }
    return modules
      + shared.map { entry in
        ModuleReport(
          path: ModuleReport.module(of: entry.key), kind: "shared values", shape: entry.tensor.shape.dimensions, rank: nil,
          parameterCount: entry.tensor.elementCount, changeNorm: nil)
      }
      + changes.adopted.map { adoption in
        ModuleReport(
          path: adoption.parameter.path, kind: "values", shape: adoption.parameter.shape.dimensions, rank: nil,
          parameterCount: adoption.parameter.shape.elementCount, changeNorm: adoption.changeNorm)
      }
  }
}

extension ModuleReport {
  /// The parts of a stored adapter, without its base.
  /// - Throws: `ConfigError` for a malformed configuration.
  public static func modules(of adapter: StoredAdapter) throws -> [ModuleReport] {
    var order: [String] = []
    var groups: [String: [(key: String, tensor: Tensor)]] = [:]
    for stored in adapter.tensors where !stored.name.hasSuffix(".base_layer.weight") {
      let path = module(of: stored.name)
      if groups[path] == nil { order.append(path) }
      groups[path, default: []].append((stored.name, stored.tensor))
    }
    let method = try MethodCatalog.decode(stored: adapter.configuration, from: adapter.name)
    return try order.map { path in
      let own = groups[path] ?? []
      return ModuleReport(
        path: path, rank: rank(of: own), parameterCount: own.reduce(0) { $0 + $1.tensor.elementCount },
        changeNorm: try productNorm(of: own, method, path))
    }
  }

  static func rank(of tensors: [(key: String, tensor: Tensor)]) -> Int? {
    let ends = [".lora_A.weight", ".lora_A", ".lora_embedding_A", ".hada_w1_b"]
    return tensors.first { tensor in ends.contains { tensor.key.hasSuffix($0) } }?.tensor.shape[0]
  }

  /// A key without PEFT's prefix and without what the method calls the tensor.
  fileprivate static func module(of key: String) -> String {
    let marks = ["hada_", "adaption_", "trainable_tokens", "ln_tuning_layers", "token_adapter"] + MethodCatalog.names.map { $0.lowercased() + "_" }
    var components = key.split(separator: ".").map(String.init)
    if components.starts(with: ["base_model", "model"]) { components.removeFirst(2) }
    // A tensor beside the model is shared by modules, and belongs to none.
    if components.count > 1, components[0] == "base_model" { return components[1] }
    let end = components.firstIndex { name in marks.contains { name.hasPrefix($0) } } ?? max(1, components.count - 1)
    return components[..<max(1, end)].joined(separator: ".")
  }

  /// `|s B E A|`, from the small products `Bᵀ B` and `A Aᵀ`.
  private static func productNorm(of tensors: [(key: String, tensor: Tensor)], _ method: any TuningMethod, _ path: String) throws -> Double? {
    func factor(_ ends: String...) -> Tensor? {
      tensors.first { tensor in ends.contains { tensor.key.hasSuffix($0) } }?.tensor.converted(to: .float32)
    }
    guard let a = factor(".lora_A.weight", ".lora_A", ".lora_embedding_A"), let b = factor(".lora_B.weight", ".lora_B", ".lora_embedding_B") else {
      return nil
    }
    guard a.shape[0] > 0 else { return 0 }
    let scale: Float
    var left = b
    switch method {
    case let method as LoRA:
      guard method.keyUnlikePlain == nil else { return nil }
      scale = try method.factors(for: path).scale
    case let method as AdaLoRA:
      guard let values = factor(".lora_E") else { return nil }
      scale = method.scale(rank: a.shape[0])
      left = scaleColumns(b, by: values.reshaped(to: [a.shape[0]]))
    default: return nil
    }
    let inner = matrixProduct(left.transposed, left.transposed, transposingSecond: true) * matrixProduct(a, a, transposingSecond: true)
    return Double(abs(scale)) * Double(max(0, sum(inner).scalar)).squareRoot()
  }
}

extension Seam {
  fileprivate var kind: String {
    switch self {
    case .linear: "linear"
    case .table: "embedding"
    case .prompt: "prompt"
    case .prefix: "prefix"
    case .supplement: "second attention"
    case .residual: "bottleneck"
    case .experts: "experts"
    case .start: "initial state"
    case .states, .input: "states"
    }
  }

  fileprivate var shape: [Int]? {
    switch self {
    case .linear(let layer, _), .residual(let layer, _): layer.weight.shape.dimensions
    case .table(let embedding, _), .prompt(let embedding, _): embedding.weight.shape.dimensions
    case .experts(let projection, _): [projection.expertCount, projection.outputSizes.reduce(0, +), projection.inputSize]
    case .start(let recurrence, _): [recurrence.startSize]
    case .prefix, .supplement, .states, .input: nil
    }
  }

  /// The distance by which merging would move the weight, which is as it was afterwards.
  fileprivate var changeNorm: Double? {
    switch self {
    case .linear(let layer, _): return changeNorm(of: [layer.weight, layer.bias].compactMap(\.self))
    case .table(let embedding, _): return changeNorm(of: [embedding.weight])
    case .experts(let projection, _): return changeNorm(of: projection.parameters)
    case .prompt, .prefix, .supplement, .residual, .start, .states, .input: return nil
    }
  }

  private func changeNorm(of parameters: [Parameter]) -> Double? {
    let kept = parameters.map(\.stored)
    for parameter in parameters { parameter.assign(parameter.dense()) }
    defer { for (parameter, weight) in zip(parameters, kept) { parameter.assign(weight) } }
    guard (try? merge()) != nil, let weight = parameters.first else { return nil }
    return (weight.value - kept[0].dense()).sumOfSquares.squareRoot()
  }
}
