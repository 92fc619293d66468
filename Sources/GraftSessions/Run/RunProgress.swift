import GraftDatasets

/// A part of a run that takes its time beside the steps, and how far it has come.
public struct RunProgress: Sendable, Equatable {
  /// A part of a run.
  public enum Part: Sendable {
    /// The model's weights are read.
    case loading
    /// All weights on the disk are hashed, for what tells this base from others.
    case hashing
    /// Records become examples.
    case encoding
    /// Held-out examples are evaluated.
    case evaluating
    /// Held-out prompts are answered.
    case answering
  }

  /// The part that goes on.
  public var part: Part
  /// The things done.
  public var done: Int
  /// All of them; 0 where they are not counted.
  public var total: Int

  /// - Parameters:
  ///   - done: the things done.
  ///   - total: all of them; 0 where they are not counted.
  public init(_ part: Part, _ done: Int = 0, of total: Int = 0) { (self.part, self.done, self.total) = (part, done, total) }
}

/// Told how far a part of a run has come.
public typealias ProgressHandler = (RunProgress) -> Void
