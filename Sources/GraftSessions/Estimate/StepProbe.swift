import GraftAdapters
import GraftBatching
import GraftDatasets
import GraftLayers
import GraftOptimizers
import GraftRecipes
import GraftTensors

/// Steps of a few layers of a model, computed to see how long they take.
///
/// The model need not have weights: zeros take the time of any other numbers.
struct StepProbe {
  let pass: TrainingPass
  let delta: Delta

  /// Returns the time of a step.
  func stepSeconds(_ sample: RunSample, _ objective: BatchObjective) -> Double {
    let typical = sample.typical
    guard !typical.isEmpty else { return 0 }
    let perToken = passSeconds(of: typical, objective) / Double(max(1, RunSample.size(of: typical)))
    return perToken * sample.meanTokens * sample.microBatchesPerStep + updateSeconds()
  }

  /// The layers of the model's longest stack.
  private var layerCount: Int { pass.model.outline?.stacks.map(\.layers.count).max() ?? 1 }

  /// Multiplications and additions of matrix products a token, with so many layers.
  private func work(layers: Int) -> Double {
    let linears = pass.model.catalog.linears
    let head = linears.filter { $0.role == .languageModelHead || $0.role == .classifier }
    let outside = head.reduce(0.0) { $0 + Double($1.weight.shape.elementCount) }
    let all = linears.reduce(0.0) { $0 + Double($1.weight.shape.elementCount) }
    return 6 * (outside + (all - outside) * Double(min(layers, layerCount)) / Double(max(1, layerCount)))
  }

  /// The products that a pass may take where a single example does not take more: about half a second of them on two cores.
  private static let largestWork = 5e10

  /// Returns the time of a micro-batch of these examples, told from the first of them and from few layers where they are many for a large model.
  private func passSeconds(of examples: [EncodedExample], _ objective: BatchObjective) -> Double {
    let (few, more) = (1, 3)
    let isWhole = layerCount <= 4
    let room = Int(Self.largestWork / work(layers: isWhole ? layerCount : more))
    var part: [EncodedExample] = []
    for example in examples where part.isEmpty || RunSample.size(of: part) + RunSample.size(of: example) <= room { part.append(example) }
    let batch = Batch(collating: part, objective: objective)
    let scale = Double(RunSample.size(of: examples)) / Double(max(1, RunSample.size(of: part)))
    defer { BufferPool.shared.trim() }
    guard !isWhole else { return scale * measure(batch, layers: layerCount) }
    let (first, second) = (measure(batch, layers: few), measure(batch, layers: more))
    return scale * (first + max(0, second - first) / Double(more - few) * Double(layerCount - few))
  }

  /// The median time of some passes.
  private func measure(_ batch: Batch, layers: Int) -> Double {
    func once() -> Double {
      let start = ContinuousClock.now
      var gradients = Gradients()
      pass.run(batch, layers: layers, addingTo: &gradients)
      return (ContinuousClock.now - start) / .seconds(1)
    }
    // The first pass takes memory that later ones find there, which tells in long ones no more.
    let first = once()
    guard first < 1 else { return first }
    let began = ContinuousClock.now
    var seconds: [Double] = []
    while seconds.count < 3 || (seconds.count < 15 && (ContinuousClock.now - began) / .seconds(1) < 0.3) { seconds.append(once()) }
    return seconds.sorted()[seconds.count / 2]
  }

  /// The time of the norm of the gradients and of an update of everything that is trained, told from a part of it.
  private func updateSeconds() -> Double {
    let training = pass.recipe.training
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
    let optimizer = Optimizer(training.updateRule, parameters: sample, stateFormat: training.optimizerState.format)
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
