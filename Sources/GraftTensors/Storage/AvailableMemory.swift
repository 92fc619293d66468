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

  /// The bytes that the control groups of a container or a service leave, of which every one stands in another.
  private static var container: Int? {
    let own =
      text(of: "/proc/self/cgroup")?.split(separator: "\n").map { $0.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false) } ?? []
    let folders = own.filter { $0.count == 3 }.flatMap { group -> [(folder: Substring, isFirst: Bool)] in
      // The second version has one tree for everything, the first one of its own for memory.
      let isFirst = group[1].split(separator: ",").contains("memory")
      guard isFirst || group[1].isEmpty else { return [] }
      return group[2].indices.filter { group[2][$0] == "/" }.map { (group[2][..<$0], isFirst) } + [(group[2], isFirst)]
    }
    return (folders + [("", false)]).compactMap {
      $0.isFirst ? firstVersion("/sys/fs/cgroup/memory\($0.folder)") : secondVersion("/sys/fs/cgroup\($0.folder)")
    }
    .min()
  }

  private static func secondVersion(_ folder: String) -> Int? {
    guard let limit = number(in: folder + "/memory.max"), let used = number(in: folder + "/memory.current") else { return nil }
    return left(of: limit, used: used, statistics: folder + "/memory.stat", "inactive_file")
  }

  private static func firstVersion(_ folder: String) -> Int? {
    guard let limit = number(in: folder + "/memory.limit_in_bytes"), let used = number(in: folder + "/memory.usage_in_bytes") else { return nil }
    return left(of: limit, used: used, statistics: folder + "/memory.stat", "total_inactive_file")
  }

  private static func left(of limit: Int, used: Int, statistics: String, _ key: String) -> Int {
    // Pages of files are given back when they are needed.
    let cached = text(of: statistics)?.split(separator: "\n").first { $0.hasPrefix(key + " ") }
    return max(0, limit - used + (cached.flatMap { Int($0.dropFirst(key.count + 1)) } ?? 0))
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
