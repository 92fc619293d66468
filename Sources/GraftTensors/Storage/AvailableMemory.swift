import Foundation
import GraftErrors

/// Memory that cannot be had.
public struct MemoryError: UserError {
  /// `WHERE: WHAT; HOW TO FIX`.
  public let description: String

  /// - Parameter description: one line that says what needs how much.
  public init(_ description: String) { self.description = description }

  public var status: ErrorStatus { .systemFailure }
}

/// The memory that this process could still take.
public enum AvailableMemory {
  /// Returns the bytes that neither the machine, nor a container's limit, nor a limit on this process's addresses denies.
  public static var bytes: Int {
    [machine, container, addresses].compactMap(\.self).min() ?? Int(ProcessInfo.processInfo.physicalMemory)
  }

  private static var machine: Int? { kibibytes(of: "MemAvailable", in: "/proc/meminfo") }

  /// The bytes that the control group of a container leaves (cgroup v2).
  private static var container: Int? {
    guard let limit = number(in: "/sys/fs/cgroup/memory.max"), let used = number(in: "/sys/fs/cgroup/memory.current") else { return nil }
    // Pages of files are given back when they are needed.
    let cached = text(of: "/sys/fs/cgroup/memory.stat")?.split(separator: "\n").first { $0.hasPrefix("inactive_file ") }
    return max(0, limit - used + (cached.flatMap { Int($0.dropFirst("inactive_file ".count)) } ?? 0))
  }

  /// The bytes that `ulimit -v` leaves.
  private static var addresses: Int? {
    var limit = rlimit()
    #if os(Linux)
    guard getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit) == 0, limit.rlim_cur < rlim_t(Int.max) else { return nil }
    #else
    return nil
    #endif
    return kibibytes(of: "VmSize", in: "/proc/self/status").map { max(0, Int(limit.rlim_cur) - $0) }
  }

  private static func kibibytes(of key: String, in file: String) -> Int? {
    let line = text(of: file)?.split(separator: "\n").first { $0.hasPrefix(key + ":") }
    return line.flatMap { Int($0.dropFirst(key.count + 1).filter(\.isNumber)) }.map { $0 * 1024 }
  }

  private static func number(in file: String) -> Int? { text(of: file).flatMap { Int($0.filter { !$0.isWhitespace }) } }

  private static func text(of file: String) -> String? { try? String(contentsOfFile: file, encoding: .utf8) }
}
