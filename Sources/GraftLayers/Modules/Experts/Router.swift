import GraftTensors

/// The gate of a mixture of experts: it gives every token its experts and their weights (Shazeer et al. 2017, section 2.1).
public final class Router {
  /// The way from logits to weights.
  public struct Options: Sendable, Hashable {
    /// The scores of all experts.
    public enum Scores: Sendable, Hashable {
      /// A softmax over all experts.
      case softmax
      /// A sigmoid of each (DeepSeek-V3).
      case sigmoid
      /// The logits themselves; the weights are their softmax over the chosen experts (gpt-oss).
      case logits
    }

    /// The number of experts that a token is sent to.
    public var choices: Int
    /// The scores that experts are chosen by.
    public var scores: Scores
    /// Nil where the chosen scores are the weights; else they are divided by their sum and this.
    public var normalization: Float?
    /// The factor of the weights.
    public var scale: Float
    /// The limit on groups of experts; nil for none.
    public var groups: ExpertGroups?

    /// - Parameter choices: the number of experts that a token is sent to.
    public init(choices: Int, scores: Scores = .softmax, normalization: Float? = nil, scale: Float = 1, groups: ExpertGroups? = nil) {
      self.choices = choices
      self.scores = scores
      self.normalization = normalization
      self.scale = scale
      self.groups = groups
    }
  }

  /// The experts of every token with their weights, and the logits that losses read.
  struct Choice {
    /// `[rows, choices]`.
    let weights: Tensor
    let routing: ExpertRouting
    /// `[rows, experts]`.
    let logits: Tensor
  }

  /// From the hidden size to one logit an expert.
  public let layer: Linear
  /// The way from logits to weights.
  public let options: Options
  /// `[experts]`, added to scores where experts are chosen, not to their weights; it is not trained by gradients (DeepSeek-V3).
  private let correction: Tensor?

  /// - Parameters:
  ///   - layer: `[experts, hidden]`.
  ///   - correction: `[experts]`, added to scores where experts are chosen.
  public init(_ layer: Linear, _ options: Options, correction: Tensor? = nil) {
    self.layer = layer
    self.options = options
    self.correction = correction
  }

  /// The number of experts.
  public var expertCount: Int { layer.outputSize }

  /// - Parameter x: `[rows, hidden]`.
  func callAsFunction(_ x: Tensor, _ pass: Pass) -> Choice {
    let logits = layer(x, pass)
    let scores =
      switch options.scores {
      case .softmax: softmax(logits)
      case .sigmoid: activate(logits, .sigmoid)
      case .logits: logits
      }
    let chosen = chosenExperts(scores.detached)
    var weights = gatherColumns(scores, chosen)
    if options.scores == .logits { weights = softmax(weights) }
    if let epsilon = options.normalization { weights = normalizeRows(weights, epsilon: epsilon) }
    if options.scale != 1 { weights = options.scale * weights }
    return Choice(weights: weights, routing: ExpertRouting(chosen, choices: options.choices, of: expertCount), logits: logits)
  }

  private func chosenExperts(_ scores: Tensor) -> [Int32] {
    var scores = scores
    if let correction { scores = addRow(scores, correction) }
    if let groups = options.groups { scores = groups.masked(scores) }
    return largestColumns(scores, options.choices)
  }
}
