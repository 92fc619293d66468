import CKernels

/// A named tensor that a layer owns, and that may be trained.
public final class Parameter {
  /// The dotted name in the checkpoint, such as `model.layers.0.self_attn.q_proj.weight`.
  public let path: String
  public private(set) var value: Tensor
  /// What reverse passes have added since it was last set to nil, shaped like `value`.
  public var gradient: Tensor?
  /// Whether gradients are wanted. A trainable parameter is float32.
  public var isTrainable: Bool {
    didSet { if isTrainable && value.dtype != .float32 { value = value.converted(to: .float32) } }
  }

  private var leaf: (serial: UInt32, node: Int32)?

  public init(path: String, value: Tensor, isTrainable: Bool = false) {
    self.path = path
    self.value = isTrainable ? value.converted(to: .float32) : value
    self.isTrainable = isTrainable
  }

  public var shape: Shape { value.shape }

  /// The value as an operand: tracked where it is trainable and a tape records.
  public var operand: Tensor {
    guard isTrainable, let tape = Tape.current else { return value }
    guard !tape.isProbe else {
      tape.hasMetTrainable = true
      return value
    }
    if leaf?.serial != tape.serial {
      leaf = (tape.serial, tape.append("parameter", parameter: self))
    }
    var tracked = value
    tracked.node = leaf?.node ?? -1
    tracked.tapeSerial = tape.serial
    return tracked
  }

  package func leafEnded(on tape: Tape) {
    if leaf?.serial == tape.serial { leaf = nil }
  }

  package func absorb(_ contribution: Tensor) {
    guard var sum = gradient else {
      gradient = contribution
      return
    }
    gradient = nil
    sum.makeUnique()
    let out = sum.mutablePointer
    let source = contribution.pointer
    parallel(over: sum.elementCount, grain: elementwiseGrain) { part in
      graft_accumulate(out + part.lowerBound, source + part.lowerBound, part.count)
    }
    gradient = sum
  }

  /// Replaces the value, as loaders and merging do.
  /// - Precondition: the same shape.
  public func assign(_ newValue: Tensor) {
    precondition(newValue.shape == shape, "\(path): \(newValue.shape) assigned to \(shape)")
    value = isTrainable ? newValue.converted(to: .float32) : newValue
  }

  /// Lets an optimizer write the elements of a float32 value in place, copying them first where they are shared.
  public func update(_ body: (UnsafeMutableBufferPointer<Float>) -> Void) {
    value.makeUnique()
    body(UnsafeMutableBufferPointer(start: value.mutablePointer, count: value.elementCount))
  }
}
