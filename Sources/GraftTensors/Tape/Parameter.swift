/// A named weight that a layer owns, and that may be trained.
public final class Parameter {
  /// The dotted name in the checkpoint, such as `model.layers.0.self_attn.q_proj.weight`.
  public let path: String
  /// The elements in the form they are stored in.
  public private(set) var stored: Weight {
    didSet {
      keepInPlace()
      narrowed = nil
    }
  }
  /// True where gradients are wanted. A trainable parameter is dense float32.
  public var isTrainable: Bool {
    didSet {
      if isTrainable && stored.format != .float32 { stored = .dense(stored.dense()) }
      narrowed = nil
    }
  }
  /// The format that products read the elements in while they are frozen; nil for that they are stored in.
  private let productFormat: ElementFormat?
  /// The elements in that format, made when a product first reads them.
  private var narrowed: Tensor?

  /// - Parameters:
  ///   - path: its name in checkpoints.
  ///   - isTrainable: true where gradients are asked for.
  public convenience init(path: String, value: Tensor, isTrainable: Bool = false) {
    self.init(path: path, stored: .dense(value), isTrainable: isTrainable)
  }

  /// - Parameters:
  ///   - path: its name in checkpoints.
  ///   - stored: the values as they are kept, perhaps in blocks.
  ///   - productFormat: the format that products read the elements in while they are frozen; nil for that they are stored in.
  ///   - isTrainable: true where gradients are asked for.
  public init(path: String, stored: Weight, productFormat: ElementFormat? = nil, isTrainable: Bool = false) {
    self.path = path
    self.productFormat = productFormat
    self.stored = isTrainable ? .dense(stored.dense()) : stored
    self.isTrainable = isTrainable
    keepInPlace()
  }

  /// The shape of the values.
  public var shape: Shape { stored.shape }

  /// The format that the elements are stored in.
  public var format: ElementFormat { stored.format }

  /// The bytes of the elements in the format that products read them in.
  package var operandByteCount: Int {
    guard case .dense = stored, let productFormat, !isTrainable else { return stored.byteCount }
    return productFormat.bytes(for: shape.elementCount)
  }

  /// The bytes of the copy that products read; zero where they read the elements as they are stored.
  package var copyByteCount: Int { productFormat == nil || productFormat == format || isTrainable ? 0 : operandByteCount }

  /// All elements as float32; the stored tensor itself where it is that already.
  public func dense() -> Tensor { stored.dense() }

  /// The stored tensor.
  /// - Precondition: dense, as everything is but matrices of products and tables.
  public var value: Tensor {
    guard case .dense(let tensor) = stored else { preconditionFailure("\(path) is stored as \(format)") }
    return tensor
  }

  /// The value as an operand: tracked where it is trainable and a tape records.
  /// - Precondition: dense, as everything is but matrices of products and tables.
  public var operand: Tensor {
    NonFiniteSearch.current?.look(at: self)
    return tracked(value)
  }

  /// The weight as the matrix of a product, tracked like `operand`.
  public var matrix: Weight {
    NonFiniteSearch.current?.look(at: self)
    guard case .dense(let tensor) = stored else { return stored }
    guard let productFormat, !isTrainable else { return .dense(tracked(tensor)) }
    let operand = narrowed ?? tensor.convertedReleasing(to: productFormat)
    operand.storage.isLasting = true
    narrowed = operand
    return .dense(operand)
  }

  /// The weight as a table of rows, which are looked up as they are stored; tracked like `operand`.
  public var table: Weight {
    NonFiniteSearch.current?.look(at: self)
    guard case .dense(let tensor) = stored else { return stored }
    return .dense(tracked(tensor))
  }

  private func tracked(_ value: Tensor) -> Tensor {
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

  /// Replaces the value and its format, as loaders and undoing do.
  /// - Precondition: the same shape.
  public func assign(_ newValue: Tensor) { assign(.dense(newValue)) }

  /// Replaces the weight and its format.
  /// - Precondition: the same shape.
  public func assign(_ weight: Weight) {
    precondition(weight.shape == shape, "\(path): \(weight.shape) assigned to \(shape)")
    stored = isTrainable ? .dense(weight.dense()) : weight
  }

  /// Replaces the elements and keeps their format, as merging does.
  /// - Parameter elements: float32, of the same shape.
  /// - Throws: `WeightFormatError` where the format cannot take them.
  public func replaceElements(with elements: Tensor) throws(WeightFormatError) { assign(try stored.replacing(with: elements)) }

  /// Lets `body` write the elements of a float32 value in place, row-major, copying them first where they are shared.
  public func update(_ body: (inout MutableSpan<Float>) -> Void) {
    guard case .dense(var tensor) = stored else { preconditionFailure("\(path) is stored as \(format)") }
    stored = .dense(Tensor([] as [Float]))
    tensor.makeUnique()
    var elements = MutableSpan(_unsafeStart: tensor.mutablePointer, count: tensor.elementCount)
    body(&elements)
    stored = .dense(tensor)
  }

  /// The memory of parameters outlives every tape.
  private func keepInPlace() { if case .dense(let tensor) = stored { tensor.storage.isLasting = true } }
}
