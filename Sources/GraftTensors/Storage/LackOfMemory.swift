import Foundation

/// Ends the process for want of memory: nothing that has begun can be finished, so it says what was asked for and how to need less.
func endForLackOfMemory(asked byteCount: Int, inUse: Int) -> Never {
  let line =
    "error: out of memory: \(gibibytes(byteCount)) for a tensor do not fit beside the \(gibibytes(inUse)) in use; lower batch_size or max_length, "
    + "use a smaller model, or raise the limit that `ulimit -v` shows\n"
  _ = line.utf8.withContiguousStorageIfAvailable { write(STDERR_FILENO, $0.baseAddress, $0.count) }
  // Other threads may be in the middle of their work.
  _exit(71)
}

private func gibibytes(_ byteCount: Int) -> String {
  byteCount == .max ? "more than 8 EiB" : String(format: "%.2f GiB", Double(byteCount) / Double(1 << 30))
}
