import Foundation
import GraftTensors

/// The resident memory of this process, which every report means by memory.
public enum ProcessMemory {
  /// The resident size now, in bytes; the largest so far where the system does not say.
  public static var residentBytes: Int {
    let pages = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8))?.split(separator: " ").dropFirst().first.flatMap { Int($0) }
    return pages.map { $0 * Int(sysconf(Int32(_SC_PAGESIZE))) } ?? peakBytes
  }

  /// The largest resident size so far, in bytes: Linux's `VmHWM`.
  public static var peakBytes: Int {
    // What `getrusage` tells begins with the size of the process that started this one.
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8))?.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
    if let kibibytes = status.flatMap({ Int($0.filter(\.isNumber)) }) { return kibibytes * 1024 }
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
