import GraftJSON
import GraftRecipes
import GraftReports
import GraftTraining

/// A run that has ended, summed up: `summary.json` and the report of a run are made of it.
struct RunSummary {
  let recipe: Recipe
  let overview: RunOverview
  /// The run directory.
  let output: String
  /// The file or directory of the result.
  let saved: String
  let state: RunState
  let history: RunHistory
  /// The step whose weights are the result.
  let resultStep: Int
  /// True where the result is the best weights rather than the last.
  let keepsBest: Bool
  /// The outcome class by class, for a classification.
  let classes: ClassReport?
  let warnings: [String]
  let identity: RunIdentity

  private var seconds: Double { state.training.progress.seconds }
  private var tokensPerSecond: Double { Double(state.training.progress.tokens) / max(seconds, 1e-9) }

  /// The content of `summary.json`.
  var json: JSON {
    var summary: JSON = [
      "model": .string(overview.modelName), "method": .string(overview.methodName), "steps": .integer(state.training.step),
      "total_steps": .integer(state.training.stepCount), "trainable_parameters": .integer(overview.trainableParameters),
      "total_parameters": .integer(overview.totalParameters), "wall_seconds": .number(seconds),
      "tokens": .integer(state.training.progress.tokens), "tokens_per_second": .number(tokensPerSecond),
      "peak_memory_bytes": .integer(state.peakMemoryBytes), "output": .string(saved),
    ]
    if let loss = history.finalLoss { summary["final_loss"] = .number(loss) }
    for (name, value) in history.points.last?.others ?? [] { summary["final_" + name] = .number(value) }
    addEvaluations(to: &summary)
    if let classes { summary["classification"] = classes.json }
    if !loads.layers.isEmpty { summary["expert_load"] = expertLoad }
    if !warnings.isEmpty { summary["warnings"] = .array(warnings.map(JSON.string)) }
    summary["identity"] = identity.json
    return summary
  }

  private var loads: RecentExpertLoads { state.training.progress.expertLoads }

  /// The share of rows that each expert of each layer was sent in the last steps.
  private var expertLoad: JSON {
    let layers = loads.layers.map { layer -> JSON in
      ["path": .string(layer.path), "imbalance": .number(layer.imbalance), "shares": .array(layer.shares.map(JSON.number))]
    }
    return ["steps": .integer(loads.stepCount), "layers": .array(layers)]
  }

  /// Adds the metrics of the result's evaluation, of the best one and of the first.
  private func addEvaluations(to summary: inout JSON) {
    if let result = history.evaluation(at: resultStep) {
      summary["eval_loss"] = .number(result.loss)
      for (name, value) in result.metrics { summary[name] = .number(value) }
      let best = history.evaluations.filter { $0.step > 0 && !$0.loss.isNaN }.min { $0.loss < $1.loss }
      summary["best_eval_loss"] = .number(best?.loss ?? result.loss)
      summary["best_eval_step"] = .integer(best?.step ?? result.step)
    }
    if keepsBest, let best = state.training.selection.best {
      summary["metric_for_best_model"] = .string(state.training.selection.metric)
      summary["best_metric"] = .number(best.value)
      summary["best_step"] = .integer(best.step)
      summary["result_step"] = .integer(resultStep)
    }
    if let first = history.evaluations.first, first.step == 0 {
      summary["initial_eval_loss"] = .number(first.loss)
      for (name, value) in first.metrics { summary["initial_" + name] = .number(value) }
    }
    if !history.answers.after.isEmpty { summary["answered_prompts"] = .integer(history.answers.after.count) }
    if overview.evaluationCount > 0 { summary["evaluation_examples"] = .integer(overview.evaluationCount) }
  }

  /// The metric that says the most of the result, with its value for the untrained model.
  private var headline: (name: String, before: Double?, after: Double)? {
    guard let result = history.evaluation(at: resultStep) else { return nil }
    let first = history.evaluations.first.flatMap { $0.step == 0 ? $0 : nil }
    return RunChange.metrics.lazy.compactMap { name in
      result.metrics.first { $0.name == name }.map { metric in (name, first?.metrics.first { $0.name == name }?.value, metric.value) }
    }.first
  }

  /// The report of the run.
  func report() throws -> TrainingReport {
    TrainingReport(
      title: "\(overview.methodName) on \(overview.modelName)", subtitle: "\(overview.exampleCount) examples, \(overview.stepCount) steps",
      highlights: highlights,
      summary: [
        ("Base model", overview.modelName), ("Method", overview.methodName),
        ("Trained parameters", "\(Figure.grouped(overview.trainableParameters)) of \(Figure.grouped(overview.totalParameters))"),
        ("Tokens per second", Figure.grouped(Int(tokensPerSecond))), ("Peak memory", Figure.bytes(state.peakMemoryBytes)), ("Result", saved),
      ],
      points: history.points, evaluations: history.evaluations, resultStep: resultStep, classes: classes, samples: samples, notes: warnings,
      recipe: try recipe.rendered(),
      expertLoads: loads.layers.map { TrainingReport.ExpertLoad(layer: $0.path, shares: $0.shares) }, expertLoadSteps: loads.stepCount,
      machine: Machine.description, commands: [ShellText.line(["graft", "train", output + "/recipe.yaml", "--output", output + "-again"])])
  }

  private var highlights: [(label: String, value: String)] {
    var highlights: [(label: String, value: String)] = []
    let result = history.evaluation(at: resultStep)
    if let headline {
      let after = MetricFigure.text(headline.after, of: headline.name)
      highlights.append(
        (MetricFigure.title(headline.name), headline.before.map { "\(MetricFigure.text($0, of: headline.name)) → \(after)" } ?? after))
    }
    if let loss = result?.loss { highlights.append(("Held-out loss", Figure.fixed(loss, digits: 4))) }
    if let loss = history.finalLoss { highlights.append(("Training loss", Figure.fixed(loss, digits: 4))) }
    highlights.append(("Trained parameters", Figure.compact(Double(overview.trainableParameters))))
    highlights.append(("Time", Figure.duration(seconds: seconds)))
    return highlights
  }

  private var samples: [TrainingReport.Sample] {
    history.answers.after.enumerated().prefix(RunHistory.shownAnswers).map { index, answer in
      TrainingReport.Sample(
        prompt: answer.prompt, expected: answer.expected,
        before: index < history.answers.before.count ? history.answers.before[index].answer : nil, after: answer.answer)
    }
  }
}
