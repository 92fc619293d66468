/// The report of a training run, for its `report.html`.
package struct TrainingReport: Sendable {
  /// One line of the training log.
  package struct Point: Sendable {
    /// Optimizer steps done.
    package var step: Int
    /// Epochs done, as a fraction.
    package var epoch: Double
    /// The mean loss.
    package var loss: Double
    /// The learning rate of the step.
    package var learningRate: Double
    /// The L2 norm of all gradients before clipping.
    package var gradientNorm: Double?
    /// Tokens read in a second.
    package var tokensPerSecond: Double?
    /// Other figures of the log, under their keys: losses that layers add, the imbalance of experts.
    package var others: [(name: String, value: Double)]

    package init(
      step: Int, epoch: Double, loss: Double, learningRate: Double, gradientNorm: Double? = nil,
      tokensPerSecond: Double? = nil, others: [(name: String, value: Double)] = []
    ) {
      self.others = others
      self.step = step
      self.epoch = epoch
      self.loss = loss
      self.learningRate = learningRate
      self.gradientNorm = gradientNorm
      self.tokensPerSecond = tokensPerSecond
    }
  }

  /// One evaluation: its loss and the task's metrics.
  package struct Evaluation: Sendable {
    /// Optimizer steps done.
    package var step: Int
    /// Epochs done, as a fraction.
    package var epoch: Double
    /// The mean loss.
    package var loss: Double
    /// The other metrics, by name.
    package var metrics: [(name: String, value: Double)]

    package init(step: Int, epoch: Double, loss: Double, metrics: [(name: String, value: Double)] = []) {
      self.step = step
      self.epoch = epoch
      self.loss = loss
      self.metrics = metrics
    }
  }

  /// The answers of the model to a prompt, before and after.
  package struct Sample: Sendable {
    /// The prompt.
    package var prompt: String
    /// The answer that was expected.
    package var expected: String?
    /// The answer of the untrained model.
    package var before: String?
    /// The answer of the result.
    package var after: String

    package init(prompt: String, expected: String? = nil, before: String? = nil, after: String) {
      self.prompt = prompt
      self.expected = expected
      self.before = before
      self.after = after
    }
  }

  /// The work of the experts of one layer.
  package struct ExpertLoad: Sendable {
    /// The path of the layer.
    package var layer: String
    /// The share of rows that each expert was sent.
    package var shares: [Double]

    package init(layer: String, shares: [Double]) {
      self.layer = layer
      self.shares = shares
    }
  }

  /// The heading of the page.
  package var title: String
  /// One line: the model, the method, the date.
  package var subtitle: String
  /// The figures shown large, a handful.
  package var highlights: [(label: String, value: String)]
  /// The rows of the summary table.
  package var summary: [(label: String, value: String)]
  /// The lines of the training log.
  package var points: [Point]
  /// The evaluations, by step.
  package var evaluations: [Evaluation]
  /// The outcome class by class, for a classification.
  package var classes: ClassReport?
  /// The step whose weights are the result.
  package var resultStep: Int?
  /// Held-out prompts with their answers.
  package var samples: [Sample]
  /// The work of experts in the last steps, layer by layer.
  package var expertLoads: [ExpertLoad]
  /// The number of those steps.
  package var expertLoadSteps: Int
  /// Remarks for the reader: truncated examples, skipped steps.
  package var notes: [String]
  /// The resolved recipe as YAML.
  package var recipe: String
  /// Processor, threads, libraries.
  package var machine: [(label: String, value: String)]
  /// The commands that do it again.
  package var commands: [String]

  package init(
    title: String, subtitle: String, highlights: [(label: String, value: String)] = [],
    summary: [(label: String, value: String)] = [], points: [Point], evaluations: [Evaluation] = [],
    resultStep: Int? = nil, classes: ClassReport? = nil, samples: [Sample] = [],
    notes: [String] = [], recipe: String, expertLoads: [ExpertLoad] = [], expertLoadSteps: Int = 0,
    machine: [(label: String, value: String)] = [], commands: [String] = []
  ) {
    self.title = title
    self.subtitle = subtitle
    self.highlights = highlights
    self.summary = summary
    self.points = points
    self.evaluations = evaluations
    (self.resultStep, self.classes, self.samples) = (resultStep, classes, samples)
    self.expertLoads = expertLoads
    self.expertLoadSteps = expertLoadSteps
    self.notes = notes
    self.recipe = recipe
    self.machine = machine
    self.commands = commands
  }
}
