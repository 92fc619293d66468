/// The report of a training run, for its `report.html`.
public struct TrainingReport: Sendable {
  /// One line of the training log.
  public struct Point: Sendable {
    /// Optimizer steps done.
    public var step: Int
    /// Epochs done, as a fraction.
    public var epoch: Double
    /// The mean loss.
    public var loss: Double
    /// The learning rate of the step.
    public var learningRate: Double
    /// The L2 norm of all gradients before clipping.
    public var gradientNorm: Double?
    /// Tokens read in a second.
    public var tokensPerSecond: Double?
    /// Other figures of the log, under their keys: losses that layers add, the imbalance of experts.
    public var others: [(name: String, value: Double)]

    public init(
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
  public struct Evaluation: Sendable {
    /// Optimizer steps done.
    public var step: Int
    /// Epochs done, as a fraction.
    public var epoch: Double
    /// The mean loss.
    public var loss: Double
    /// The other metrics, by name.
    public var metrics: [(name: String, value: Double)]

    public init(step: Int, epoch: Double, loss: Double, metrics: [(name: String, value: Double)] = []) {
      self.step = step
      self.epoch = epoch
      self.loss = loss
      self.metrics = metrics
    }
  }

  /// The answers of the model to a prompt, before and after.
  public struct Sample: Sendable {
    /// The prompt.
    public var prompt: String
    /// The answer that was expected.
    public var expected: String?
    /// The answer of the untrained model.
    public var before: String?
    /// The answer of the result.
    public var after: String

    public init(prompt: String, expected: String? = nil, before: String? = nil, after: String) {
      self.prompt = prompt
      self.expected = expected
      self.before = before
      self.after = after
    }
  }

  /// The work of the experts of one layer.
  public struct ExpertLoad: Sendable {
    /// The path of the layer.
    public var layer: String
    /// The share of rows that each expert was sent.
    public var shares: [Double]

    public init(layer: String, shares: [Double]) {
      self.layer = layer
      self.shares = shares
    }
  }

  /// The heading of the page.
  public var title: String
  /// One line: the model, the method, the date.
  public var subtitle: String
  /// The figures shown large, a handful.
  public var highlights: [(label: String, value: String)]
  /// The rows of the summary table.
  public var summary: [(label: String, value: String)]
  /// The lines of the training log.
  public var points: [Point]
  /// The evaluations, by step.
  public var evaluations: [Evaluation]
  /// Held-out prompts with their answers.
  public var samples: [Sample]
  /// The work of experts in the last steps, layer by layer.
  public var expertLoads: [ExpertLoad]
  /// The number of those steps.
  public var expertLoadSteps: Int
  /// Remarks for the reader: truncated examples, skipped steps.
  public var notes: [String]
  /// The resolved recipe as YAML.
  public var recipe: String
  /// Processor, threads, libraries.
  public var machine: [(label: String, value: String)]
  /// The commands that do it again.
  public var commands: [String]

  public init(
    title: String, subtitle: String, highlights: [(label: String, value: String)] = [],
    summary: [(label: String, value: String)] = [], points: [Point], evaluations: [Evaluation] = [],
    samples: [Sample] = [],
    notes: [String] = [], recipe: String, expertLoads: [ExpertLoad] = [], expertLoadSteps: Int = 0,
    machine: [(label: String, value: String)] = [], commands: [String] = []
  ) {
    self.title = title
    self.subtitle = subtitle
    self.highlights = highlights
    self.summary = summary
    self.points = points
    self.evaluations = evaluations
    self.samples = samples
    self.expertLoads = expertLoads
    self.expertLoadSteps = expertLoadSteps
    self.notes = notes
    self.recipe = recipe
    self.machine = machine
    self.commands = commands
  }
}
