import GraftAdapters
import GraftBatching
import GraftLayers
import GraftOptimizers
import GraftRecipes
import GraftTensors
import GraftTraining

/// Steps of a few layers of a model, computed to see what they take.
///
/// The model need not have weights: zeros take the time and the memory of any other numbers.
struct StepProbe {
  /// The findings of one probe.
  struct Reading {
    /// The time of forward and reverse pass.
    var seconds: Double
    /// The bytes that tensors took from the system at their highest, but for gradients of parameters.
    var activations: Double
    /// The bytes of the gradients of parameters.
    var gradients: Double

    /// The reading for `count` layers, of two readings for fewer.
    static func extrapolated(_ few: Reading, _ fewCount: Int, _ more: Reading, _ moreCount: Int, to count: Int) -> Reading {
      func line(_ value: (Reading) -> Double) -> Double {
        value(few) + max(0, value(more) - value(few)) / Double(moreCount - fewCount) * Double(count - fewCount)
      }
      return Reading(seconds: line(\.seconds), activations: line(\.activations), gradients: line(\.gradients))
    }
  }

  let model: any TrainableModel
  let delta: Delta
  let recipe: Recipe
  let loss: TrainingLoss.Sum

  /// The layers of the model's longest stack.
  private var layerCount: Int { model.outline?.stacks.map(\.layers.count).max() ?? 1 }

  /// Multiplications and additions of matrix products a token, in a layer and outside of all.
  private func work(layers: Int) -> Double {
    let head = model.catalog.linears.filter { $0.role == .languageModelHead || $0.role == .classifier }
    let outside = head.reduce(0.0) { $0 + Double($1.weight.shape.elementCount) }
    let all = model.catalog.linears.reduce(0.0) { $0 + Double($1.weight.shape.elementCount) }
    return 6 * (outside + (all - outside) * Double(min(layers, layerCount)) / Double(max(1, layerCount)))
  }

  /// The products that a probe may take: about a second of them on two cores.
  private static let largestWork = 2e11

  /// Measures a micro-batch of these examples, or of the first of them, where they are many for a large model.
  func reading(of examples: [EncodedExample], _ objective: BatchObjective) throws -> Reading {
    let (few, more) = (1, 3)
    let isWhole = layerCount <= 4
    let room = Int(Self.largestWork / work(layers: isWhole ? layerCount : more))
    var part: [EncodedExample] = []
    for example in examples where part.isEmpty || Self.size(of: part) + Self.size(of: [example]) <= room { part.append(example) }
    let batch = Batch(collating: part, objective: objective)
    let scale = Double(Self.size(of: examples)) / Double(max(1, Self.size(of: part)))
    var reading =
      isWhole
      ? measure(batch, layers: layerCount) : .extrapolated(measure(batch, layers: few), few, measure(batch, layers: more), more, to: layerCount)
    reading.seconds *= scale
    reading.activations *= scale
    return reading
  }

  static func size(of examples: [EncodedExample]) -> Int { examples.reduce(0) { $0 + $1.tokens.count + ($1.source?.count ?? 0) } }

  private func measure(_ batch: Batch, layers: Int) -> Reading {
    let pool = BufferPool.shared
    // The first pass makes what outlives it, such as copies of tables in another format.
    _ = pass(batch, layers: layers)
    pool.trim()
    let start = pool.statistics.bytesInUse
    var reading = pass(batch, layers: layers)
    let held = pool.statistics
    reading.activations = Double(held.bytesInUse + held.bytesFree - start) - reading.gradients
    let began = ContinuousClock.now
    var seconds: [Double] = []
    while seconds.count < 2 || (seconds.count < 9 && (ContinuousClock.now - began) / .seconds(1) < 0.15) {
      seconds.append(pass(batch, layers: layers).seconds)
    }
    reading.seconds = seconds.sorted()[(seconds.count - 1) / 2]
    pool.trim()
    return reading
  }

  private func pass(_ batch: Batch, layers: Int) -> Reading {
    let training = recipe.training
    var execution = Execution.current
    execution.recomputation = training.gradientCheckpointing
    execution.arithmetic = training.precision.arithmetic
    if let format = training.precision.arithmetic.operandFormat { execution.savedForm = .converted(format) }
    var pass = Pass(isTraining: true, random: RandomStream(seed: 0))
    pass.layerLimit = layers
    let start = ContinuousClock.now
    var gradients = Gradients()
    // Gradients of earlier micro-batches are there while a later one is computed.
    for _ in 0..<min(2, training.gradientAccumulationSteps) {
      let tape = Tape()
      pass.auxiliary = AuxiliaryOutputs()
      let value = execution.run { tape.record { loss(model, batch, pass, 1) } }
      tape.addGradients(of: value, to: &gradients)
    }
    let seconds = (ContinuousClock.now - start) / .seconds(1) / Double(min(2, training.gradientAccumulationSteps))
    let bytes = delta.parameters.reduce(0.0) { $0 + (gradients[$1.parameter] == nil ? 0 : 4 * Double($1.parameter.shape.elementCount)) }
    return Reading(seconds: seconds, activations: 0, gradients: bytes)
  }

  /// The time of the norm of the gradients and of an update of everything that is trained, told from a part of it.
  func updateSeconds() -> Double {
    var sample: [Parameter] = []
    var size = 0
    for (_, parameter) in delta.parameters where size < 4_000_000 || sample.isEmpty {
      // Large tables are cut: an update takes the rows one like the other.
      let rows = parameter.shape.rank == 2 ? min(parameter.shape[0], max(1, 8_000_000 / max(1, parameter.shape[1]))) : 0
      let shape: Shape = rows > 0 ? [rows, parameter.shape[1]] : parameter.shape
      sample.append(Parameter(path: parameter.path, value: .zeros(shape), isTrainable: true))
      size += shape.elementCount
    }
    guard size > 0 else { return 0 }
    let optimizer = Optimizer(recipe.training.updateRule, parameters: sample, stateFormat: recipe.training.optimizerState.format)
    var gradients = Gradients()
    for parameter in sample { gradients[parameter] = .zeros(parameter.shape) }
    var seconds = Double.infinity
    for _ in 0..<3 {
      let start = ContinuousClock.now
      _ = gradients.norm(over: sample)
      optimizer.step(gradients, learningRate: 0)
      seconds = min(seconds, (ContinuousClock.now - start) / .seconds(1))
    }
    return seconds * Double(delta.parameterCount) / Double(size)
  }
}
