import GraftCheckpoints
import GraftJSON
import GraftLayers
import GraftTensors

/// The budget of AdaLoRA: fewer and fewer triplets, kept where they matter most.
///
/// Zhang et al. 2023, "AdaLoRA", algorithm 1: the importance of a weight is its smoothed sensitivity (eq. 9) times the smoothed
/// uncertainty of that (eq. 10 and 11), a triplet's the sum of its value's and the means of its vectors' (eq. 8), and the
/// budget falls along a cubic curve (eq. 12). The values of triplets beyond it are set to zero.
final class TripletBudget: TrainingSchedule {
  struct Settings {
    var targetRank: Int
    /// The steps before the budget falls, and after it has fallen.
    var initialSteps: Int, finalSteps: Int
    /// The number of steps between two droppings of triplets.
    var interval: Int
    var beta1: Float, beta2: Float
    /// Multiplied into the penalty on vectors that are not orthonormal (eq. 4).
    var orthogonality: Float
    /// All steps; those of the run where nil.
    var totalSteps: Int?
  }

  private struct Importance {
    let parameter: Parameter
    var sensitivity: [Float], uncertainty: [Float]

    init(_ parameter: Parameter) {
      self.parameter = parameter
      sensitivity = Array(repeating: 0, count: parameter.shape.elementCount)
      uncertainty = sensitivity
    }

    mutating func update(_ settings: Settings, _ gradients: Gradients, gradientScale: Float) {
      guard let gradient = gradients[parameter] else { return }
      let (beta1, beta2) = (settings.beta1, settings.beta2)
      for (index, (weight, slope)) in zip(parameter.value.values, gradient.values).enumerated() {
        let now = abs(weight * slope * gradientScale)
        sensitivity[index] = beta1 * sensitivity[index] + (1 - beta1) * now
        uncertainty[index] = beta2 * uncertainty[index] + (1 - beta2) * abs(now - sensitivity[index])
      }
    }

    /// The means over the other axis, one a triplet.
    func means(triplets: Int, areRows: Bool) -> [Float] {
      let length = sensitivity.count / max(1, triplets)
      return (0..<triplets).map { triplet in
        var total = 0.0
        for k in 0..<length {
          let index = areRows ? triplet * length + k : k * triplets + triplet
          total += Double(sensitivity[index] * uncertainty[index])
        }
        return Float(total / Double(max(1, length)))
      }
    }
  }

  private let layers: [(path: String, adapter: TripletAdapter)]
  private let settings: Settings
  private var importances: [(a: Importance, b: Importance, values: Importance)]
  /// True for the triplets of each layer that are kept; nil before the first are dropped.
  private(set) var kept: [[Bool]]?
  private var totalSteps: Int

  init(_ layers: [(path: String, adapter: TripletAdapter)], _ settings: Settings) {
    (self.layers, self.settings) = (layers, settings)
    importances = layers.map { (Importance($0.adapter.a), Importance($0.adapter.b), Importance($0.adapter.values)) }
    totalSteps = settings.totalSteps ?? 0
  }

  func prepare(stepCount: Int) throws {
    totalSteps = settings.totalSteps ?? stepCount
    guard settings.targetRank > 0, settings.targetRank * layers.count <= initialBudget else {
      throw TuningError("target_r: is \(settings.targetRank); it must be at least 1 and at most init_r")
    }
    guard settings.initialSteps < totalSteps - settings.finalSteps else {
      throw TuningError(
        "tinit: \(settings.initialSteps) steps and tfinal's \(settings.finalSteps) leave none of \(totalSteps) to spend less in; lower them or raise total_step"
      )
    }
  }

  func penalty() -> Tensor? {
    guard settings.orthogonality > 0, !layers.isEmpty else { return nil }
    let terms = layers.flatMap { layer -> [Tensor] in
      [layer.adapter.a.operand, layer.adapter.b.operand.transposed].map {
        euclideanNorm(matrixProduct($0, $0, transposingSecond: true) - .identity($0.shape[0]))
      }
    }
    return (settings.orthogonality / Float(terms.count)) * terms.dropFirst().reduce(terms[0], +)
  }

  func updated(step: Int, gradients: Gradients, gradientScale: Float) {
    let end = totalSteps - settings.finalSteps
    guard step <= end else { return mask() }
    if step < end {
      for index in importances.indices {
        importances[index].a.update(settings, gradients, gradientScale: gradientScale)
        importances[index].b.update(settings, gradients, gradientScale: gradientScale)
        importances[index].values.update(settings, gradients, gradientScale: gradientScale)
      }
    }
    guard step == end || (step > settings.initialSteps && step % settings.interval == 0) else { return }
    choose(budget: budget(atStep: step))
    mask()
  }

  private var initialBudget: Int { layers.reduce(0) { $0 + $1.adapter.a.shape[0] } }

  /// Returns the number of triplets that all layers together may keep.
  func budget(atStep step: Int) -> Int {
    let target = settings.targetRank * layers.count
    let (first, last) = (settings.initialSteps, totalSteps - settings.finalSteps)
    let left = 1 - Double(step - first) / Double(last - first)
    return Int(Double(initialBudget - target) * left * left * left + Double(target))
  }

  private func choose(budget: Int) {
    let scores = zip(layers, importances).map { layer, importance -> [Float] in
      let rank = layer.adapter.a.shape[0]
      let vectors = zip(importance.a.means(triplets: rank, areRows: true), importance.b.means(triplets: rank, areRows: false)).map { $0 + $1 }
      return zip(importance.values.means(triplets: rank, areRows: true), vectors).map { $0 + $1 }
    }
    let dropped = initialBudget - budget
    guard dropped > 0 else { return }
    let threshold = scores.flatMap { $0 }.sorted()[dropped - 1]
    kept = scores.map { $0.map { $0 > threshold } }
  }

  private func mask() {
    guard let kept else { return }
    for (layer, isKept) in zip(layers, kept) {
      layer.adapter.values.update { values in
        for (index, isKept) in isKept.enumerated() where !isKept { values[index] = 0 }
      }
    }
  }

  private var allImportances: [Importance] { importances.flatMap { [$0.a, $0.b, $0.values] } }

  var state: [StoredTensor] {
    let running = allImportances.flatMap { importance in
      [("sensitivity", importance.sensitivity), ("uncertainty", importance.uncertainty)].map { name, values in
        StoredTensor(name: "\(importance.parameter.path).\(name)", tensor: Tensor(values, importance.parameter.shape))
      }
    }
    let masks = layers.indices.map { index in
      let rank = layers[index].adapter.a.shape[0]
      let isKept = kept?[index] ?? Array(repeating: true, count: rank)
      return StoredTensor(name: "\(layers[index].path).kept", tensor: Tensor(isKept.map { $0 ? 1 : 0 }, [rank]))
    }
    return running + masks
  }

  func restore(_ tensor: (String) throws -> Tensor) throws {
    func restore(_ importance: inout Importance) throws {
      importance.sensitivity = try tensor("\(importance.parameter.path).sensitivity").values
      importance.uncertainty = try tensor("\(importance.parameter.path).uncertainty").values
    }
    for index in importances.indices {
      try restore(&importances[index].a)
      try restore(&importances[index].b)
      try restore(&importances[index].values)
    }
    let masks = try layers.map { try tensor("\($0.path).kept").values.map { $0 != 0 } }
    kept = masks.contains { $0.contains(false) } ? masks : nil
  }

  /// Keeps of each layer the triplets within the budget, and says in `rank_pattern` which those were.
  func finish(_ stored: inout StoredAdapter) {
    if totalSteps > 0 { stored.configuration["total_step"] = .integer(totalSteps) }
    guard let kept else { return }
    var pattern = JSONObject()
    for (layer, isKept) in zip(layers, kept) {
      pattern["\(layer.path).lora_E"] = .array(isKept.map(JSON.bool))
      let rows = Tensor(isKept.indices.filter { isKept[$0] }.map(Int32.init))
      for index in stored.tensors.indices {
        let name = stored.tensors[index].name
        let value = stored.tensors[index].tensor
        if name == layer.adapter.a.path || name == layer.adapter.values.path { stored.tensors[index].tensor = gatherRows(value, rows) }
        if name == layer.adapter.b.path { stored.tensors[index].tensor = gatherRows(value.transposed, rows).transposed }
      }
    }
    stored.configuration["rank_pattern"] = .object(pattern)
  }
}
