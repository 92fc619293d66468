import GraftCheckpoints

/// The checks of where a result is to go, made before the work whose result it is.
enum OutputPlace {
  /// A directory to write: what is read is never written over, and what is there makes way only if asked and if it is all ours.
  ///
  /// - Parameters:
  ///   - inputs: what is read.
  ///   - replaceable: what may make way where `overwrites`.
  /// - Returns: what may make way.
  /// - Throws: `CheckpointError` of kind `cannotCreate`.
  static func directory(
    _ path: String, apartFrom inputs: [String], overwrites: Bool, replaceable: AtomicDirectory.Replacement
  ) throws(CheckpointError) -> AtomicDirectory.Replacement {
    try require(path, apartFrom: inputs)
    let replacement = overwrites ? replaceable : .none
    try AtomicDirectory.requireFree(path, replacing: replacement)
    return replacement
  }

  /// A file to write: one that graft wrote is replaced, and nothing else.
  ///
  /// - Throws: `CheckpointError` of kind `cannotCreate`.
  static func file(_ path: String, apartFrom inputs: [String]) throws(CheckpointError) {
    try require(path, apartFrom: inputs)
    try AtomicFile.requireReplaceable(path, isOwn: AdapterArchive.owns(path) || GGUFFile.isOwn(path))
  }

  private static func require(_ path: String, apartFrom inputs: [String]) throws(CheckpointError) {
    guard let place = FileIdentity(path) else { return }
    for input in inputs where FileIdentity(input) == place || FileIdentity(input + "/adapter.h5") == place {
      throw CheckpointError(.cannotCreate, path, "is what is read", remedy: "choose another place")
    }
  }
}
