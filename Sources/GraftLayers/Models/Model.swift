import GraftBatching
import GraftTensors

/// A network whose parameters and sites are in a catalog.
public protocol Model: AnyObject {
  /// The name of the model's family, such as `llama`.
  var modelType: String { get }
  /// The parameters and sites of the network.
  var catalog: SiteCatalog { get }
  /// The number of tokens that the embedding knows.
  var vocabularySize: Int { get }
  /// The width of hidden states.
  var hiddenSize: Int { get }
  /// The most tokens of a sequence, where the positions are learned; nil where they can go on.
  var maximumLength: Int? { get }
  /// The number of kinds of segments that the model tells apart; 1 where it has none.
  var segmentCount: Int { get }
  /// The attention style, where the architecture leaves it open; nil where it does not.
  var attentionStyle: AttentionStyle? { get }
  /// The last hidden states, after the final norm; those of the encoder where there are two halves.
  /// - Returns: `[rows, hidden]`.
  func hiddenStates(_ input: SequenceInput, _ pass: Pass) -> Tensor
  /// The model as drawings show it; nil for a model that does not say what it is made of.
  var outline: ModelOutline? { get }
  /// Returns the state before the first token of so many sequences, for passes that continue each other.
  func makeState(sequences: Int) -> SequenceState
}

extension Model {
  public var attentionStyle: AttentionStyle? { nil }
  public var segmentCount: Int { 1 }
  public var outline: ModelOutline? { nil }
  public func makeState(sequences: Int) -> SequenceState { SequenceState(sequences: sequences) }
}

/// A model with a loss: all that a trainer asks for.
public protocol TrainableModel: Model {
  /// The loss summed over the batch's terms (`Batch.lossTermCount` of them), times `scale`.
  /// - Returns: a scalar.
  func loss(_ batch: Batch, _ pass: Pass, scale: Float) -> Tensor
}

extension Batch {
  /// The rows that carry loss, in order.
  public var lossRows: [Int32] {
    targets.indices.compactMap { targets[$0] == Self.ignoredTarget ? nil : Int32($0) }
  }

  /// The targets of rows.
  public func targets(of rows: [Int32]) -> [Int32] { rows.map { targets[Int($0)] } }

  /// The factors of these rows' losses; nil where all of them count once.
  public func weights(of rows: [Int32]) -> [Float]? {
    targetWeights.map { weights in rows.map { weights[Int($0)] } }
  }
}
