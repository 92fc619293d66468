import CHDF5

/// A group of an HDF5 file. Members are opened by name; only hard links are followed.
struct HDF5Group {
  /// Links up to this number are kept in the group's checksummed header. Beyond it they move to a heap, which
  /// version 1.10 of the library can crash on when it is damaged.
  static let maximumCompactLinks: UInt32 = 1000
  private static let maximumNameBytes = 1024

  let identifier: HDF5Identifier
  let file: HDF5File
  /// The path from the root, without the leading slash; "" for the root.
  let path: String

  init(_ identifier: HDF5Identifier, in file: HDF5File, path: String) {
    self.identifier = identifier
    self.file = file
    self.path = path
  }

  /// Returns the name of a member in messages: `FILE: /path/member`.
  func location(of name: String? = nil) -> String {
    "\(file.path): /" + [path, name ?? ""].filter { !$0.isEmpty }.joined(separator: "/")
  }

  func memberPath(_ name: String) -> String { path.isEmpty ? name : "\(path)/\(name)" }

  // MARK: Reading

  /// The names of all members, sorted.
  ///
  /// - Throws: `CheckpointError` of kind `unsupported` when the links are stored in a way the installed library may not
  ///   survive when damaged, `malformed` for damage and for names that are too long or hold control characters.
  func memberNames() throws(CheckpointError) -> [String] {
    try HDF5Library.serialized { () throws(CheckpointError) in
      var isCompact: Int32 = 0
      let count = CHDF5_linkCount(identifier.id, &isCompact)
      guard count >= 0 else { throw .malformed(location(), "is damaged") }
      guard isCompact != 0 || count == 0 else {
        throw CheckpointError(
          .unsupported, location(), "its links are not stored in its header, which is unsafe to list in a damaged file",
          remedy: "write the file with `graft`, or with libver='v110' and few members per group")
      }
      guard count <= Int64(Self.maximumCompactLinks) else {
        throw .malformed(location(), "has \(count) members, too many")
      }
      var names: [String] = []
      for index in 0..<UInt64(count) {
        var buffer = [CChar](repeating: 0, count: Self.maximumNameBytes + 1)
        let length = H5Lget_name_by_idx(
          identifier.id, ".", H5_INDEX_NAME, H5_ITER_INC, index, &buffer, buffer.count, CHDF5_defaultProperties())
        let bytes = buffer.prefix(max(0, min(length, Self.maximumNameBytes))).map { UInt8(bitPattern: $0) }
        guard length > 0, length <= Self.maximumNameBytes, !bytes.contains(where: { $0 < 0x20 || $0 == 0x7F }),
          let name = String(validating: bytes, as: UTF8.self)
        else { throw .malformed(location(), "has a member with an unusable name") }
        names.append(name)
      }
      return names
    }
  }

  /// The group called `name`; `nil` when there is no such member.
  ///
  /// - Throws: `CheckpointError` of kind `malformed` when the member is a link elsewhere, no group, or damaged.
  func group(_ name: String) throws(CheckpointError) -> HDF5Group? {
    try HDF5Library.serialized { () throws(CheckpointError) in
      guard let object = try object(name) else { return nil }
      guard H5Iget_type(object.id) == H5I_GROUP else { throw .malformed(location(of: name), "is no group") }
      return HDF5Group(object, in: file, path: memberPath(name))
    }
  }

  /// The dataset called `name`; `nil` when there is no such member.
  ///
  /// - Throws: `CheckpointError` of kind `malformed` when the member is a link elsewhere, no dataset, damaged, or
  ///   stored in a way that adapter files must not use.
  func dataset(_ name: String) throws(CheckpointError) -> HDF5Dataset? {
    try HDF5Library.serialized { () throws(CheckpointError) in
      guard let object = try object(name) else { return nil }
      guard H5Iget_type(object.id) == H5I_DATASET else { throw .malformed(location(of: name), "is no dataset") }
      return try HDF5Dataset(object, location: location(of: name), budget: file.budget)
    }
  }

  private func object(_ name: String) throws(CheckpointError) -> HDF5Identifier? {
    switch CHDF5_isHardLink(identifier.id, name) {
    case 0: return nil
    case 1:
      guard let object = HDF5Identifier(H5Oopen(identifier.id, name, CHDF5_defaultProperties()), closedBy: H5Oclose)
      else {
        throw .malformed(location(of: name), "is damaged")
      }
      try file.budget?.claim(object.id, as: memberPath(name), location(of: name))
      return object
    default:
      throw .malformed(location(of: name), "is damaged, or a link to elsewhere, which adapter files must not have")
    }
  }

  // MARK: Writing

  /// Creates a group whose links stay in its header.
  ///
  /// - Parameter members: the names it will get, as far as known: room is made for them, without which adding many
  ///   takes time that grows with more than the square of their number.
  func createGroup(_ name: String, for members: some Collection<String> = []) throws(CheckpointError) -> HDF5Group {
    try HDF5Library.serialized { () throws(CheckpointError) in
      guard let creation = HDF5Identifier(H5Pcreate(CHDF5_groupCreationClass()), closedBy: H5Pclose),
        H5Pset_link_phase_change(creation.id, Self.maximumCompactLinks, Self.maximumCompactLinks / 2) >= 0,
        H5Pset_obj_track_times(creation.id, false) >= 0,
        members.isEmpty || Self.reserve(creation.id, for: members),
        let group = HDF5Identifier(
          H5Gcreate2(identifier.id, name, CHDF5_defaultProperties(), creation.id, CHDF5_defaultProperties()),
          closedBy: H5Gclose)
      else { throw CheckpointError(.inputOutput, location(of: name), "cannot create the group") }
      return HDF5Group(group, in: file, path: memberPath(name))
    }
  }

  private static func reserve(_ creation: hid_t, for members: some Collection<String>) -> Bool {
    let nameBytes = members.reduce(0) { max($0, $1.utf8.count) }
    let count = min(members.count, Int(maximumCompactLinks))
    return H5Pset_est_link_info(creation, UInt32(count), UInt32(min(nameBytes, maximumNameBytes))) >= 0
  }

  /// Creates a dataset: in chunks of up to 1 MiB, shuffled, deflated if `deflateLevel` is not 0, and checksummed.
  /// A scalar or an empty dataset, which can have no filters, is contiguous.
  @discardableResult
  func createDataset(
    _ name: String, _ elementType: ElementType, shape: [Int], bytes: UnsafeRawBufferPointer, deflateLevel: Int = 0
  ) throws(CheckpointError) -> HDF5Dataset {
    try HDF5Library.serialized { () throws(CheckpointError) in
      let failure = CheckpointError(.inputOutput, location(of: name), "cannot write the dataset")
      let dimensions = shape.map { hsize_t($0) }
      guard let type = elementType.makeHDF5Type() else {
        throw CheckpointError(
          .unsupported, location(of: name), "adapter files cannot hold dtype \(elementType.rawValue)")
      }
      guard
        let space = HDF5Identifier(
          shape.isEmpty ? H5Screate(H5S_SCALAR) : H5Screate_simple(Int32(shape.count), dimensions, nil),
          closedBy: H5Sclose),
        let creation = HDF5Identifier(H5Pcreate(CHDF5_datasetCreationClass()), closedBy: H5Pclose),
        H5Pset_obj_track_times(creation.id, false) >= 0
      else { throw failure }
      if !shape.isEmpty, !bytes.isEmpty {
        let chunk = Self.chunk(of: shape, elementBytes: elementType.bitWidth / 8)
        guard H5Pset_chunk(creation.id, Int32(chunk.count), chunk) >= 0, H5Pset_shuffle(creation.id) >= 0,
          deflateLevel == 0 || H5Pset_deflate(creation.id, UInt32(deflateLevel)) >= 0,
          H5Pset_fletcher32(creation.id) >= 0
        else { throw failure }
      }
      guard
        let dataset = HDF5Identifier(
          H5Dcreate2(
            identifier.id, name, type.id, space.id, CHDF5_defaultProperties(), creation.id, CHDF5_defaultProperties()),
          closedBy: H5Dclose)
      else { throw failure }
      if !bytes.isEmpty {
        let whole = CHDF5_wholeSpace()
        guard H5Dwrite(dataset.id, type.id, whole, whole, CHDF5_defaultProperties(), bytes.baseAddress) >= 0 else {
          throw failure
        }
      }
      return try HDF5Dataset(dataset, location: location(of: name))
    }
  }

  /// The whole where it has at most 1 MiB, otherwise as many slices along the first axis as fit.
  private static func chunk(of shape: [Int], elementBytes: Int) -> [hsize_t] {
    let sliceBytes = shape.dropFirst().reduce(elementBytes, *)
    let slices = max(1, min(shape[0], (1 << 20) / max(sliceBytes, 1)))
    return [hsize_t(slices)] + shape.dropFirst().map { hsize_t($0) }
  }
}
