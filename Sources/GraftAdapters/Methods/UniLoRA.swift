import GraftConfiguration
import GraftLayers
import GraftTensors

/// Low-rank factors whose elements all are, up to a fixed factor, elements of one trained vector: `θ_D = P θ_d` with orthonormal columns of `P`.
///
/// Li et al. 2025, "Uni-LoRA: one vector is all you need". Every element of the vector stands for as many elements of factors as any
/// other, by a shuffle of NumPy's generator, each over the root of their number.
public struct UniLoRA: TargetedMethod, SpelledKeys {
  public static let name = "UNILORA"
  public static let defaultLearningRate = 5e-3
  public static let card = MethodCard(
    title: "Uni-LoRA", formula: "`W x + b + B A x`, all elements of `A` and `B` taken from one vector", parameters: "`theta_d_length` in all",
    seam: "linear layers", source: "Li et al. 2025")

  package var r = 4
  package var projSeed = 42
  /// The length of the vector.
  package var lengthOfVector = 256
  public var targetModules: ModuleSelection?
  package var uniloraDropout = 0.0
  package var bias = BiasTraining.none
  public var modulesToSave: [String]?
  /// The vector starts uniform within this distance of zero.
  package var bound = 0.02
  package var initWeights = true
  package var saveIndices = false
  public var layersToTransform: OneOrMany<Int>?
  public var layersPattern: OneOrMany<String>?

  public init() {}

  public static let keySpellings = ["lengthOfVector": "theta_d_length", "bound": "init_theta_d_bound"]

  public func attach(to sites: SiteCatalog, in attachment: Attachment) throws {
    for (key, value) in [("r", r), ("theta_d_length", lengthOfVector)] where value < 1 {
      throw TuningError("\(key): is \(value); it must be at least 1")
    }
    guard (0..<1).contains(uniloraDropout) else { throw TuningError("unilora_dropout: is \(uniloraDropout); it must be at least 0 and below 1") }
    let layers = try targets.linears(in: sites, for: attachment)
    let vector = try (attachment.root / "base_model").parameter(
      "unilora_theta_d", [lengthOfVector], initWeights ? .uniform(bound: Float(bound)) : .normal(standardDeviation: 1))
    let total = layers.reduce(0) { $0 + r * ($1.inputSize + $1.outputSize) }
    var generator = NumPyGenerator(seed: UInt64(bitPattern: Int64(projSeed)))
    let choices = generator.evenChoices(total, of: lengthOfVector)
    let counts = choices.reduce(into: [Int](repeating: 0, count: lengthOfVector)) { $0[Int($1)] += 1 }
    let factors = choices.map { 1 / Float(counts[Int($0)]).squareRoot() }
    var next = 0
    func taken(_ rows: Int, _ columns: Int, _ side: String, _ layer: Linear) throws -> SharedElements {
      let range = next..<next + rows * columns
      next = range.upperBound
      let scope = attachment.scope / layer.path
      let indices = Tensor(Array(choices[range]))
      let scales = Tensor(Array(factors[range]), [rows, columns])
      for (name, value) in [("indices", indices.reshaped(to: [rows, columns])), ("scales", scales)] {
        // A file may have them, and they are what the seed says.
        let key = (scope / "unilora_\(name)_\(side)").path
        let isThere = try attachment.taken(key, shape: value.shape) != nil
        guard isThere || !saveIndices || !attachment.isLoading else { throw WeightError("\(key): is missing; the configuration asks for it") }
        if saveIndices { attachment.store(key) { value } }
      }
      return SharedElements(vector: vector, choices: indices, factors: scales)
    }
    for layer in layers {
      let (a, b) = (try taken(r, layer.inputSize, "A", layer), try taken(layer.outputSize, r, "B", layer))
      try attachment.fill(layer, with: SharedVectorAdapter(a: a, b: b, dropout: Float(uniloraDropout), path: layer.path))
    }
    try attachment.adoptBiases(bias, of: sites, targets: layers, saved: modulesToSave ?? [])
    try attachment.adoptModules(modulesToSave ?? [], of: sites)
  }
}

/// A matrix of elements of the vector, each with a factor.
private struct SharedElements {
  let vector: Parameter
  /// The elements' numbers, row by row.
  let choices: Tensor
  /// `[rows, columns]`.
  let factors: Tensor

  var matrix: Tensor {
    gatherRows(vector.operand.reshaped(to: [vector.shape[0], 1]), choices).reshaped(to: factors.shape) * factors
  }
}

/// Two factors from one vector beside a linear layer.
private final class SharedVectorAdapter: AdditiveAdapter {
  /// `[r, in]` and `[out, r]`.
  let a: SharedElements, b: SharedElements
  let dropout: Float
  let path: String

  init(a: SharedElements, b: SharedElements, dropout: Float, path: String) { (self.a, self.b, self.dropout, self.path) = (a, b, dropout, path) }

  func change(_ x: Tensor, addingTo base: consuming Tensor, _ pass: Pass) -> Tensor {
    linear(linear(pass.dropout(x, dropout, at: path), a.matrix), b.matrix, addingTo: base)
  }
}
