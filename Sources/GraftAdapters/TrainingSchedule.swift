import GraftCheckpoints
import GraftTensors

/// The work of a method while it is trained, besides being differentiated.
public protocol TrainingSchedule: AnyObject {
  /// Says how many steps there will be, before the first.
  /// - Throws: `TuningError` where the method's own settings do not fit that number.
  func prepare(stepCount: Int) throws
  /// The penalty that is added to a step's loss, computed from the method's own parameters; nil for none.
  func penalty() -> Tensor?
  /// Told of an update.
  /// - Parameters:
  ///   - step: counted from 1.
  ///   - gradients: the gradients that the update was made from.
  ///   - gradientScale: the factor that the update multiplied into them.
  func updated(step: Int, gradients: Gradients, gradientScale: Float)
  /// The tensors that a training checkpoint keeps to go on from.
  var state: [StoredTensor] { get }
  /// Goes on from a checkpoint.
  /// - Throws: what `tensor` throws for a name it lacks.
  func restore(_ tensor: (_ name: String) throws -> Tensor) throws
  /// Makes of the delta as it is trained what is kept of it in the end.
  func finish(_ stored: inout StoredAdapter)
}

/// A schedule does nothing but what it says itself.
extension TrainingSchedule {
  public func prepare(stepCount: Int) throws {}
  public func penalty() -> Tensor? { nil }
  public func updated(step: Int, gradients: Gradients, gradientScale: Float) {}
  public var state: [StoredTensor] { [] }
  public func restore(_ tensor: (_ name: String) throws -> Tensor) throws {}
  public func finish(_ stored: inout StoredAdapter) {}
}
