import GraftAdapters
import GraftCheckpoints

/// An adapter to be put on a model, alone or as a part of a mixture.
public struct WeightedAdapter: Sendable, Hashable {
  /// An HDF5 file, a run directory or a PEFT directory.
  public var path: String
  /// The factor of the change that it makes.
  public var weight: Float

  /// - Parameter weight: its factor in the sum.
  public init(_ path: String, weight: Float = 1) { (self.path, self.weight) = (path, weight) }
}

/// A way to make one adapter of several.
public struct AdapterCombination: Sendable, Hashable {
  /// The way in which adapters become one.
  public var kind: LoRACombination
  /// The rank of the result, the part that is kept, and whatever else the kind takes.
  public var settings: LoRACombinationSettings

  /// The combination of a kind, with PEFT's defaults for what is not given.
  public init(_ kind: LoRACombination, _ settings: LoRACombinationSettings = LoRACombinationSettings()) {
    (self.kind, self.settings) = (kind, settings)
  }

  /// The files' adapters as one.
  /// - Throws: what `LoRACombination.combine` throws, and `SessionError` for adapters of different tasks.
  func combine(_ parts: [(adapter: StoredAdapter, weight: Float)]) throws -> StoredAdapter {
    let tasks = Set(parts.compactMap(\.adapter.taskType))
    guard tasks.count < 2 else {
      throw SessionError(.data, "the adapters are for different tasks, \(tasks.sorted().joined(separator: " and ")); combine those of one task")
    }
    return try kind.combine(parts, settings)
  }
}
