import CKernels
import COpenBLAS
import Foundation

/// The threads that operations run on.
public enum Threads {
  /// The number of threads that work is cut for, the caller's included: every core at first. No more of them run than there are cores.
  public static var count: Int {
    get { Int(graft_thread_count()) }
    set { graft_set_thread_count(Int32(newValue)) }
  }

  /// The cores that this process may use.
  public static var coreCount: Int { Int(graft_processor_count()) }
}

/// Runs `body` for every index below `count`, on all threads.
///
/// The work of an index must not depend on the number of threads: results then repeat to the bit. Inside of a `MemoryCount` nothing runs.
package func parallel(_ count: Int, _ body: (Int) -> Void) {
  guard MemoryCount.current == nil else { return }
  guard count > 1 else {
    if count == 1 { body(0) }
    return
  }
  withoutActuallyEscaping(body) { escapable in
    var box = escapable
    withUnsafeMutablePointer(to: &box) { pointer in
      graft_parallel(
        count,
        { context, index in
          guard let context else { return }
          context.assumingMemoryBound(to: ((Int) -> Void).self).pointee(index)
        }, pointer)
    }
  }
}

/// Runs `body` over consecutive ranges of `grain` elements that together cover `0..<count`.
package func parallel(over count: Int, grain: Int, _ body: (Range<Int>) -> Void) {
  let chunks = (count + grain - 1) / grain
  parallel(chunks) { chunk in
    body(chunk * grain..<min(count, (chunk + 1) * grain))
  }
}

/// Elements that one task of an elementwise operation handles: large against a task's cost, small against the cache.
package let elementwiseGrain = 1 << 15

/// The number of rows of `columns` elements that make a task where rows do not meet: fewer on many cores, so that a small model has
/// enough tasks for all of them.
package func rowGrain(columns: Int) -> Int {
  max(1, fixedRowGrain(columns: columns) / max(1, min(Threads.count, Threads.coreCount) / 8))
}

/// The same where the bits of a result depend on it: on any number of cores one.
package func fixedRowGrain(columns: Int) -> Int { max(1, elementwiseGrain / max(1, columns)) }

/// The BLAS library, as it describes itself.
public enum LinearAlgebraBackend {
  /// Such as `OpenBLAS 0.3.21`.
  public static var name: String {
    let config = openblas_get_config().map { String(cString: $0) } ?? "OpenBLAS"
    return config.split(separator: " ").prefix(2).joined(separator: " ")
  }

  /// The core whose kernels it picked, such as `SkylakeX`.
  public static var core: String { openblas_get_corename().map { String(cString: $0) } ?? "unknown" }

  /// The instruction set of our own kernels.
  public static var kernelInstructionSet: String { String(cString: graft_instruction_set()) }

  /// The tile of our own matrix products in a precision: `amx`, `avx512bf16`, `avx512` or `avx2`, or `none` where the BLAS computes them.
  public static func matrixTile(for arithmetic: Execution.Arithmetic) -> String {
    String(cString: graft_matrix_tile((arithmetic.operandFormat ?? .float32).kernelType))
  }

  /// OpenBLAS runs on one thread, since our own pool splits the work.
  package static let prepare: Void = openblas_set_num_threads(1)
}
