import CHDF5
import GraftFiles

/// An HDF5 file, open for reading from disk or being built in memory.
///
/// Files that are built have the version 1.10 format, whose object headers carry checksums.
final class HDF5File {
  let path: String
  /// The budget of reading it; nil for a file that is being built.
  let budget: HDF5Budget?
  private let file: HDF5Identifier

  private init(_ file: HDF5Identifier, path: String, budget: HDF5Budget? = nil) {
    self.file = file
    self.path = path
    self.budget = budget
  }

  /// Opens a file for reading.
  ///
  /// - Throws: `CheckpointError` of kind `missing` or `malformed`.
  static func open(_ path: String) throws(CheckpointError) -> HDF5File {
    let size: Int
    // A missing or unreadable file is told apart from a damaged one.
    do { size = try InputFile.size(of: path) } catch { throw CheckpointError(error) }
    return try HDF5Library.serialized { () throws(CheckpointError) in
      guard let access = makeAccess(),
        let file = HDF5Identifier(H5Fopen(path, CHDF5_readOnly(), access.id), closedBy: H5Fclose)
      else { throw .malformed(path, "is damaged or no HDF5 file", remedy: "restore it from a copy") }
      return HDF5File(file, path: path, budget: HDF5Budget(fileSize: size))
    }
  }

  /// Begins a file in memory; `write()` puts it on the disk. A full disk can then only fail our own writing, which
  /// the library, once it has failed to flush a file, would not survive.
  ///
  /// - Parameter path: the path at which it will be written.
  static func create(_ path: String) throws(CheckpointError) -> HDF5File {
    try HDF5Library.serialized { () throws(CheckpointError) in
      guard let access = makeAccess(), H5Pset_fapl_core(access.id, 1 << 20, false) >= 0,
        H5Pset_libver_bounds(access.id, H5F_LIBVER_V110, H5F_LIBVER_V110) >= 0,
        let creation = HDF5Identifier(H5Pcreate(CHDF5_fileCreationClass()), closedBy: H5Pclose),
        H5Pset_link_phase_change(creation.id, HDF5Group.maximumCompactLinks, HDF5Group.maximumCompactLinks / 2) >= 0,
        H5Pset_obj_track_times(creation.id, false) >= 0,
        let file = HDF5Identifier(H5Fcreate(path, CHDF5_truncate(), creation.id, access.id), closedBy: H5Fclose)
      else { throw CheckpointError(.inputOutput, path, "the HDF5 library cannot begin a file") }
      return HDF5File(file, path: path)
    }
  }

  private static func makeAccess() -> HDF5Identifier? {
    guard let access = HDF5Identifier(H5Pcreate(CHDF5_fileAccessClass()), closedBy: H5Pclose),
      H5Pset_fclose_degree(access.id, H5F_CLOSE_STRONG) >= 0
    else { return nil }
    return access
  }

  /// The group that holds all others.
  ///
  /// - Throws: `CheckpointError` of kind `malformed`.
  func root() throws(CheckpointError) -> HDF5Group {
    try HDF5Library.serialized { () throws(CheckpointError) in
      guard let group = HDF5Identifier(H5Gopen2(file.id, "/", CHDF5_defaultProperties()), closedBy: H5Gclose) else {
        throw .malformed(path, "its root group is damaged")
      }
      try budget?.claim(group.id, as: "", path)
      return HDF5Group(group, in: self, path: "")
    }
  }

  /// Writes a file begun with `create(_:)` to its path, atomically.
  ///
  /// - Throws: `CheckpointError` of kind `cannotCreate` or `inputOutput`.
  func write() throws(CheckpointError) {
    let image = try HDF5Library.serialized { () throws(CheckpointError) -> [UInt8] in
      guard H5Fflush(file.id, H5F_SCOPE_LOCAL) >= 0, case let size = H5Fget_file_image(file.id, nil, 0), size > 0 else {
        throw CheckpointError(.inputOutput, path, "the HDF5 library cannot finish the file")
      }
      var image = [UInt8](repeating: 0, count: size)
      guard H5Fget_file_image(file.id, &image, size) == size else {
        throw CheckpointError(.inputOutput, path, "the HDF5 library cannot finish the file")
      }
      HDF5Superblock.repairChecksum(of: &image)
      return image
    }
    try AtomicFile.write(image, to: path)
  }
}
