import Foundation
import GraftTensors

/// The memory that this process has taken.
public enum ProcessMemory {
  /// The largest resident size so far, in bytes.
  public static var peakBytes: Int {
    var usage = rusage()
    #if os(Linux)
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return usage.ru_maxrss * 1024
    #else
    getrusage(RUSAGE_SELF, &usage)
    return usage.ru_maxrss
    #endif
  }
}

/// The machine that a run is made on.
public enum Machine {
  public static var description: [(label: String, value: String)] {
    [
      ("Processor", processorName), ("Threads", "\(Threads.count)"), ("Kernels", LinearAlgebraBackend.kernelInstructionSet),
      ("BLAS", "\(LinearAlgebraBackend.name), \(LinearAlgebraBackend.core)"),
    ]
  }

  /// The processor's name, as the system has it.
  public static var processorName: String {
    let lines = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8))?.split(separator: "\n") ?? []
    let line = lines.first { $0.hasPrefix("model name") }
    return line.flatMap { $0.split(separator: ":", maxSplits: 1).last }.map { $0.trimmingCharacters(in: .whitespaces) } ?? "unknown"
  }
}
