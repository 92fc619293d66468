import CKernels

/// The conditions under which this thread computes: read by the few places they concern, and passed by no signature.
///
/// A tape keeps the conditions of every operation that it records, and takes its gradient back under the same.
///
///     var execution = Execution.current
///     execution.recomputation = true
///     let loss = execution.run { tape.record { model.loss(batch) } }
public struct Execution: Sendable, Hashable {
  /// The precision of matrix products.
  public enum Arithmetic: Sendable, Hashable, CaseIterable {
    /// Operands as they are stored, products and sums in float32.
    case float32
    /// Float32 operands rounded to bfloat16 first, products and sums in float32, as 16-bit matrix units compute.
    case bfloat16
    /// The same with float16, whose range is small: gradients need a loss scale (Micikevicius et al. 2018, "Mixed Precision Training").
    case float16

    /// The format that operands are rounded to; nil where they are read as they are stored.
    package var operandFormat: ElementFormat? {
      switch self {
      case .float32: nil
      case .bfloat16: .bfloat16
      case .float16: .float16
      }
    }
  }

  /// The form in which activations wait for the way back.
  public enum SavedForm: Sendable, Hashable {
    /// The tensors themselves, in the memory where they were computed.
    case asComputed
    /// Copies in a smaller floating-point format, widened again where a pullback reads them.
    case converted(ElementFormat)
  }

  /// The precision of matrix products.
  public var arithmetic: Arithmetic
  /// True where blocks run again for their gradients, instead of keeping their activations.
  public var recomputation: Bool
  /// The form in which tensors are kept for the way back.
  public var savedForm: SavedForm

  /// The conditions of inference and of plain training, unless something is given.
  public init(arithmetic: Arithmetic = .float32, recomputation: Bool = false, savedForm: SavedForm = .asComputed) {
    (self.arithmetic, self.recomputation, self.savedForm) = (arithmetic, recomputation, savedForm)
  }

  /// The conditions of this thread.
  public static var current: Execution { ExecutionFrame.current?.execution ?? Execution() }

  /// Runs `body` under these conditions, on the tape that this thread records on.
  public func run<R, E: Error>(_ body: () throws(E) -> R) throws(E) -> R {
    try ExecutionFrame(self, tape: Tape.current).run(body)
  }
}

/// The conditions of a thread with the tape that it records on, and the search or the count that it computes in, if any: the thread-local value.
final class ExecutionFrame {
  var execution: Execution
  let tape: Tape?
  let search: NonFiniteSearch?
  let count: MemoryCount?

  init(_ execution: Execution, tape: Tape?, search: NonFiniteSearch? = .current, count: MemoryCount? = .current) {
    (self.execution, self.tape, self.search, self.count) = (execution, tape, search, count)
  }

  static var current: ExecutionFrame? {
    graft_thread_local_get().map { Unmanaged<ExecutionFrame>.fromOpaque($0).takeUnretainedValue() }
  }

  func run<R, E: Error>(_ body: () throws(E) -> R) throws(E) -> R {
    let outer = graft_thread_local_get()
    graft_thread_local_set(Unmanaged.passUnretained(self).toOpaque())
    defer { graft_thread_local_set(outer) }
    return try withExtendedLifetime(self) { () throws(E) -> R in try body() }
  }
}
