import Foundation

/// A directory of files that appears complete or not at all.
///
/// Files are collected in a temporary directory beside the place, which then takes its name in one step; a directory that was
/// there is exchanged for it in the same step, and removed. A kill at any moment leaves the old one or the new one, whole; what it
/// leaves beside them is removed when the same place is next written.
///
/// A mount point, the working directory or a directory whose parent may not be written cannot be renamed over:
/// files are then collected inside, and moved one by one.
public final class AtomicDirectory {
  /// The directories that may make way for the new one.
  public enum Replacement: Sendable {
    /// None but an empty one.
    case none
    /// Any: it is known to be ours.
    case any
    /// One whose entries, hidden ones included, all pass the test.
    case holding(only: @Sendable (_ name: String) -> Bool)
  }

  /// The path of the directory in the end, symbolic links followed.
  public let path: String
  /// The path at which the files are collected; write them here.
  public let temporaryPath: String
  private let isInside: Bool
  private var claim: PartialOutput?

  /// Creates the temporary directory and, where they lack, the parents of `path`.
  ///
  /// - Parameter replacement: the existing directories that are replaced.
  /// - Throws: `CheckpointError` of kind `cannotCreate`, also for a directory that may not be replaced, or `inputOutput`.
  public init(at path: String, replacing replacement: Replacement) throws(CheckpointError) {
    try Self.requireFree(path, replacing: replacement)
    let path = resolvingLinks(path.trimmingTrailingSlashes)
    try createDirectory(path.parentDirectory)
    isInside = Self.mustBeFilled(path)
    let claim = try PartialOutput.directory(for: isInside ? "\(path)/contents" : path)
    (self.path, self.claim, temporaryPath) = (path, claim, claim.path)
  }

  deinit { discard() }

  /// Checks early what `init` checks, before the work whose result goes there.
  ///
  /// - Throws: `CheckpointError` of kind `cannotCreate` where a file, or a directory that may not be replaced, is in the way.
  public static func requireFree(_ path: String, replacing replacement: Replacement) throws(CheckpointError) {
    let path = path.trimmingTrailingSlashes
    PartialOutput.removeAbandoned(for: resolvingLinks(path))
    switch FileKind(of: path) {
    case .nothing: return
    case .file, .special: throw CheckpointError(.cannotCreate, path, "a file of that name is in the way", remedy: "choose another directory")
    case .directory: break
    }
    let names = try directoryEntries(path).filter { !PartialOutput.isPartial($0) }
    switch replacement {
    case .any: return
    case .none:
      guard names.isEmpty else {
        throw CheckpointError(
          .cannotCreate, path, "the directory is not empty", remedy: "choose another, or pass --overwrite to replace what graft wrote there")
      }
    case .holding(let isKnown):
      guard let foreign = names.first(where: { !isKnown($0) }) else { return }
      throw CheckpointError(
        .cannotCreate, path, "holds '\(foreign)', which is no part of what would be replaced", remedy: "choose another directory, or move it away")
    }
  }

  /// Gives the directory its name. Files written through `AtomicFile` are already on the disk.
  ///
  /// - Throws: `CheckpointError` of kind `cannotCreate` or `inputOutput`; the old directory is then still there.
  public func commit() throws(CheckpointError) {
    guard let claim else { return }
    synchronizeTree(temporaryPath)
    if isInside {
      try moveEntries()
      claim.remove()
    } else if rename(temporaryPath, path) == 0 {
      claim.release()
    } else {
      guard errno == ENOTEMPTY || errno == EEXIST else { throw .writing(path) }
      try exchange(temporaryPath, path)
      // The temporary name is now the old directory's.
      claim.remove()
    }
    self.claim = nil
    synchronizeDirectory(isInside ? path : path.parentDirectory)
  }

  /// Gives up and removes what was collected; without effect after `commit()`.
  public func discard() {
    claim?.remove()
    claim = nil
  }

  /// Moves what was collected to its place, entry by entry, and removes what else is there.
  private func moveEntries() throws(CheckpointError) {
    let names = try directoryEntries(temporaryPath)
    for name in try directoryEntries(path) where !names.contains(name) && "\(path)/\(name)" != temporaryPath { removeTree("\(path)/\(name)") }
    for name in names {
      let place = "\(path)/\(name)"
      if FileKind(of: place) == .directory { removeTree(place) }
      guard rename("\(temporaryPath)/\(name)", place) == 0 else { throw .writing(place) }
    }
  }

  /// Returns true for a directory that keeps its identity: another file system's root, the working directory, or one whose parent is not ours.
  private static func mustBeFilled(_ path: String) -> Bool {
    guard let own = FileIdentity(path), let parent = FileIdentity(path.parentDirectory) else { return false }
    return own.device != parent.device || own == FileIdentity(".") || access(path.parentDirectory, W_OK) != 0
  }
}

/// Exchanges the names of two directories in one step, where the file system can; else one after the other, the old one kept under
/// a name from which the next run would bring it back.
private func exchange(_ new: String, _ old: String) throws(CheckpointError) {
  #if canImport(Darwin)
  if renamex_np(new, old, UInt32(RENAME_SWAP)) == 0 { return }
  #else
  // Not among the declarations that Swift imports.
  typealias Rename = @convention(c) (Int32, UnsafePointer<CChar>, Int32, UnsafePointer<CChar>, UInt32) -> Int32
  let exchangeFlag: UInt32 = 2
  if let symbol = dlsym(nil, "renameat2"), unsafeBitCast(symbol, to: Rename.self)(AT_FDCWD, new, AT_FDCWD, old, exchangeFlag) == 0 { return }
  #endif
  let aside = PartialOutput.replacedName(for: old)
  guard rename(old, aside) == 0 else { throw .writing(old) }
  guard rename(new, old) == 0 else {
    let error = CheckpointError.writing(old)
    rename(aside, old)
    throw error
  }
  guard rename(aside, new) == 0 else { return removeTree(aside) }
}

/// Makes the entries of a directory, and of those in it, survive a power failure.
private func synchronizeTree(_ path: String) {
  for name in (try? directoryEntries(path)) ?? [] where FileKind(of: "\(path)/\(name)") == .directory { synchronizeTree("\(path)/\(name)") }
  synchronizeDirectory(path)
}
