/// A named tensor that a layer owns, and that may be trained.
public final class Parameter {
  /// The dotted name in the checkpoint, such as `model.layers.0.self_attn.q_proj.weight`.
  public let path: String
  public private(set) var value: Tensor
  /// Whether gradients are wanted. A trainable parameter is float32.
  public var isTrainable: Bool {
    didSet { if isTrainable && value.dtype != .float32 { value = value.converted(to: .float32) } }
  }

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
    var tracked = value
    tracked.node = tape.leaf(of: self)
    tracked.tapeSerial = tape.serial
    return tracked
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
