import GraftTensors

/// The processes that train one model together, each on its share of every step's micro-batches.
///
/// Every process calls the same sums in the same order. Sums have the same bits on each, so that the weights stay equal.
public protocol Communicator {
  /// The number of this process, from 0.
  var rank: Int { get }
  /// The number of processes.
  var size: Int { get }
  /// Replaces each value by its sum over all processes.
  /// - Throws: an error where another process cannot be reached.
  func sum(_ values: inout [Double]) throws
  /// Replaces the gradient of each parameter by its sum over all processes; one that is missing here counts as zero.
  /// - Throws: an error where another process cannot be reached.
  func sum(_ gradients: inout Gradients, of parameters: [Parameter]) throws
}

extension Communicator {
  /// Returns true, in every process, where any of them says so.
  /// - Throws: an error where another process cannot be reached.
  package func any(_ isSo: Bool) throws -> Bool {
    var count = [isSo ? 1.0 : 0.0]
    try sum(&count)
    return count[0] > 0
  }

  /// Waits until every process has come as far.
  /// - Throws: an error where another process cannot be reached.
  package func synchronize() throws { _ = try any(false) }
}

/// The only process of a training: every sum is what it has.
public struct SingleProcess: Communicator {
  /// The one process.
  public init() {}
  public var rank: Int { 0 }
  public var size: Int { 1 }
  public func sum(_ values: inout [Double]) {}
  public func sum(_ gradients: inout Gradients, of parameters: [Parameter]) {}
}
