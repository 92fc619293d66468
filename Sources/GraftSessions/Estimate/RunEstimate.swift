import GraftJSON
import GraftReports
import GraftTensors

/// The prediction of what a run takes: memory, and time.
///
/// Memory is resident memory everywhere: its highest value is what Linux calls `VmHWM`, and what summaries and logs have as `peak_memory_bytes`.
public struct RunEstimate: Sendable {
  /// The memory of a run in bytes, by what it is for.
  public struct Memory: Sendable, Equatable {
    /// The weights that are not trained, in memory or in the mapped file that they are read from.
    public var weights: Double
    /// The trained parameters.
    public var trained: Double
    /// The gradients of what is trained.
    public var gradients: Double
    /// The states of the optimizer.
    public var optimizer: Double
    /// The activations of the largest micro-batch, and everything that is held for the computation of micro-batches of all sizes.
    public var activations: Double
    /// The same of an evaluation of examples held out, or of answers to them; while there is one, there are neither gradients nor activations.
    public var evaluation: Double
    /// The program, the tokenizer and the data.
    public var rest = 0.0

    /// The highest resident memory.
    public var peak: Double { weights + trained + optimizer + rest + max(gradients + activations, evaluation) }
  }

  /// A change of the recipe, and what the run would take with it.
  public struct Alternative: Sendable {
    /// The change as a recipe says it: `training.gradient_checkpointing: true`.
    public var change: String
    /// The highest resident memory with it.
    public var peak: Double
    /// The time of a step with it; nil where nobody asked.
    public var stepSeconds: Double?
  }

  /// The values that are trained.
  public var trainableParameters: Int
  /// The parameters of the base and those trained beside it.
  public var totalParameters: Int
  /// The memory of the run.
  public var memory: Memory
  /// The memory that the run may take: what is available, and what the process has already.
  public var available: Double
  /// The tokens of the largest micro-batch.
  public var largestBatch: Int
  /// The tokens of a step.
  public var tokensPerStep: Double
  /// Multiplications and additions of matrix products a step.
  public var operationsPerStep: Double
  /// The time of a step; nil where nobody asked.
  public var stepSeconds: Double?
  /// Optimizer steps.
  public var stepCount: Int
  /// Changes that would take less memory; empty where nobody asked.
  public var alternatives: [Alternative] = []

  /// True where the run fits into the memory that there is.
  public var fits: Bool { memory.peak <= available }

  /// The time of all steps.
  public var totalSeconds: Double? { stepSeconds.map { $0 * Double(stepCount) } }

  /// One document of all figures.
  public var json: JSON {
    func bytes(_ value: Double) -> JSON { .integer(Int(min(value, 1e18))) }
    func number(_ value: Double?) -> JSON { value.map(JSON.number) ?? .null }
    return [
      "trainable_parameters": .integer(trainableParameters), "total_parameters": .integer(totalParameters),
      "peak_memory_bytes": bytes(memory.peak), "available_memory_bytes": bytes(available), "fits": .bool(fits),
      "memory_bytes": [
        "weights": bytes(memory.weights), "trained": bytes(memory.trained), "gradients": bytes(memory.gradients),
        "optimizer": bytes(memory.optimizer), "activations": bytes(memory.activations), "evaluation": bytes(memory.evaluation),
        "rest": bytes(memory.rest),
      ],
      "largest_batch_tokens": .integer(largestBatch), "tokens_per_step": .number(tokensPerStep), "model_flops_per_step": .number(operationsPerStep),
      "step_seconds": number(stepSeconds), "steps": .integer(stepCount), "total_seconds": number(totalSeconds),
      "alternatives": .array(
        alternatives.map { ["change": .string($0.change), "peak_memory_bytes": bytes($0.peak), "step_seconds": number($0.stepSeconds)] }),
    ]
  }

  /// The peak and its largest parts in one line.
  public var line: String {
    "memory: \(Self.text(memory.peak)) of resident memory at the peak, of \(Self.text(available)) available: frozen weights \(Self.text(memory.weights)), trained, "
      + "gradients and optimizer \(Self.text(memory.trained + memory.gradients + memory.optimizer)), activations \(Self.text(memory.activations))"
  }

  /// A line a figure.
  public var text: String {
    var rows: [(String, String)] = [
      ("parameters", "\(Figure.grouped(trainableParameters)) trained of \(Figure.grouped(totalParameters))"),
      ("frozen weights", Self.text(memory.weights)), ("trained weights", Self.text(memory.trained)), ("gradients", Self.text(memory.gradients)),
      ("optimizer", Self.text(memory.optimizer)),
      ("activations", "\(Self.text(memory.activations)) for micro-batches of up to \(Figure.grouped(largestBatch)) tokens"),
      ("evaluation", memory.evaluation > 0 ? "\(Self.text(memory.evaluation)) instead of gradients and activations" : "none"),
      ("program and data", Self.text(memory.rest)),
      ("peak", "\(Self.text(memory.peak)) of resident memory, of \(Self.text(available)) available" + (fits ? "" : ": does not fit")),
      (
        "work",
        "\(Figure.compact(operationsPerStep / 1e9)) GFLOP a step of \(Figure.grouped(Int(tokensPerStep))) tokens, \(Figure.grouped(stepCount)) steps"
      ),
    ]
    if let stepSeconds, let totalSeconds {
      rows.append(("time", "\(Figure.duration(seconds: stepSeconds)) a step, \(Figure.duration(seconds: totalSeconds)) in all, beside evaluations"))
    } else {
      rows.append(("time", "what the first steps show, or beforehand: graft estimate"))
    }
    for (index, alternative) in alternatives.enumerated() {
      let figures = "peak \(Self.text(alternative.peak))" + (alternative.stepSeconds.map { ", \(Figure.duration(seconds: $0)) a step" } ?? "")
      rows.append((index == 0 ? "with less memory" : "", "\(alternative.change): \(figures)"))
    }
    return rows.map { $0.0.padding(toLength: 18, withPad: " ", startingAt: 0) + $0.1 }.joined(separator: "\n")
  }

  /// - Throws: `MemoryError` where the run does not fit, with what would.
  public func require() throws(MemoryError) {
    guard !fits else { return }
    let fitting = alternatives.filter { $0.peak <= available }.map { "\($0.change) (\(Self.text($0.peak)))" }
    let remedy =
      fitting.isEmpty
      ? "take a smaller model, lower method.r, training.batch_size or data.max_length" : "set \(fitting.joined(separator: " or "))"
    throw MemoryError(
      "memory: the run would take \(Self.text(memory.peak)) of resident memory (frozen weights \(Self.text(memory.weights)), trained "
        + "\(Self.text(memory.trained)), gradients \(Self.text(memory.gradients)), optimizer \(Self.text(memory.optimizer)), activations "
        + "\(Self.text(memory.activations)) for \(Figure.grouped(largestBatch)) tokens, evaluation \(Self.text(memory.evaluation))), and "
        + "\(Self.text(available)) are available; \(remedy), or pass --ignore-memory")
  }

  private static func text(_ bytes: Double) -> String { Figure.bytes(Int(min(max(0, bytes), 1e18))) }
}
