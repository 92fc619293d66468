import Foundation

/// Sums over threads that stand for processes: every rank leaves its values, waits for the others, and adds all in the order of ranks.
public final class Meeting: @unchecked Sendable {
  public let size: Int
  private let condition = NSCondition()
  private var left: [[Double]?]
  private var taken = 0

  public init(size: Int) { (self.size, left) = (size, Array(repeating: nil, count: size)) }

  /// Returns the sums of what all ranks bring.
  public func sum(_ values: [Double], of rank: Int) -> [Double] {
    condition.lock()
    defer { condition.unlock() }
    while left[rank] != nil { condition.wait() }
    left[rank] = values
    condition.broadcast()
    while left.contains(where: { $0 == nil }) { condition.wait() }
    let total = left.dropFirst().reduce(left[0] ?? []) { zip($0, $1 ?? []).map(+) }
    taken += 1
    if taken == size {
      (left, taken) = (Array(repeating: nil, count: size), 0)
      condition.broadcast()
    } else {
      while taken != 0 { condition.wait() }
    }
    return total
  }

  /// Returns what each rank computes on a thread of its own, in the order of ranks.
  public func run<Result: Sendable>(_ body: @escaping @Sendable (_ rank: Int) throws -> Result) async throws -> [Result] {
    try await withThrowingTaskGroup(of: (rank: Int, result: Result).self) { group in
      for rank in 0..<size {
        group.addTask {
          try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread { continuation.resume(with: Swift.Result { (rank, try body(rank)) }) }
          }
        }
      }
      return try await group.reduce(into: []) { $0.append($1) }.sorted { $0.rank < $1.rank }.map(\.result)
    }
  }
}
