import CHDF5

/// A dataset of numbers, vetted before anything is read from it.
struct HDF5Dataset {
  let identifier: HDF5Identifier
  let location: String
  /// The element type; booleans appear as bytes.
  let elementType: ElementType
  let shape: [Int]
  /// The budget of reading it; nil for a dataset of a file that is being made.
  private let budget: HDF5Budget?
  /// The pieces in which the elements are stored; nil where that is one.
  private let chunks: HDF5Chunks?

  private static let maximumRank = 8
  private static let allowedFilters: Set<H5Z_filter_t> = [1, 2, 3]  // deflate, shuffle, fletcher32

  /// Checks type, extent, storage and filters of an open dataset.
  ///
  /// - Throws: `CheckpointError` of kind `malformed` or `unsupported`.
  init(_ identifier: HDF5Identifier, location: String, budget: HDF5Budget? = nil) throws(CheckpointError) {
    let damaged = CheckpointError.malformed(location, "is damaged")
    self.identifier = identifier
    self.location = location
    self.budget = budget
    guard let type = HDF5Identifier(H5Dget_type(identifier.id), closedBy: H5Tclose),
      let space = HDF5Identifier(H5Dget_space(identifier.id), closedBy: H5Sclose),
      let creation = HDF5Identifier(H5Dget_create_plist(identifier.id), closedBy: H5Pclose)
    else { throw damaged }
    guard let elementType = ElementType.matching(hdf5Type: type.id) else {
      throw CheckpointError(
        .unsupported, location, "its elements are not of a little-endian number type that tensors have")
    }
    self.elementType = elementType

    let extent = H5Sget_simple_extent_type(space.id)
    guard extent == H5S_SCALAR || extent == H5S_SIMPLE else { throw .malformed(location, "has no extent") }
    let rank = Int(H5Sget_simple_extent_ndims(space.id))
    guard (0...Self.maximumRank).contains(rank) else { throw .malformed(location, "has \(rank) dimensions") }
    var dimensions = [hsize_t](repeating: 0, count: rank)
    guard rank == 0 || H5Sget_simple_extent_dims(space.id, &dimensions, nil) == Int32(rank) else { throw damaged }
    let shape = dimensions.map { Int(clamping: $0) }
    guard let byteCount = elementType.byteCount(of: shape) else {
      throw .malformed(location, "has the impossible shape \(shape)")
    }
    self.shape = shape

    let layout = H5Pget_layout(creation.id)
    guard layout == H5D_CHUNKED || layout == H5D_CONTIGUOUS && (rank == 0 || byteCount == 0) else {
      throw CheckpointError(
        .unsupported, location, "is not stored in chunks, and so has no checksum",
        remedy: "write it with chunks, shuffle and fletcher32")
    }
    guard H5Pget_external_count(creation.id) == 0 else { throw .malformed(location, "keeps its data in another file") }
    let filters = try Self.filters(creation.id, location)
    chunks = layout == H5D_CHUNKED && rank > 0 ? try HDF5Chunks(creation.id, extent: shape, elementType, filters: filters, location) : nil
  }

  /// The filters that the elements went through, in that order.
  private static func filters(_ creation: hid_t, _ location: String) throws(CheckpointError) -> [H5Z_filter_t] {
    let count = H5Pget_nfilters(creation)
    guard count >= 0 else { throw .malformed(location, "is damaged") }
    var filters: [H5Z_filter_t] = []
    for index in 0..<UInt32(count) {
      var (flags, configuration): (UInt32, UInt32) = (0, 0)
      var valueCount = 0
      let filter = H5Pget_filter2(creation, index, &flags, &valueCount, nil, 0, nil, &configuration)
      guard allowedFilters.contains(filter) else {
        throw CheckpointError(
          .unsupported, location, "uses the filter \(filter); only shuffle, deflate and fletcher32 are read")
      }
      guard !filters.contains(filter) else { throw .malformed(location, "uses the filter \(filter) twice", remedy: "do not trust this file") }
      filters.append(filter)
    }
    return filters
  }

  /// The size of all elements in bytes.
  var byteCount: Int { elementType.byteCount(of: shape) ?? 0 }

  /// Reads all elements; the library verifies their checksum.
  ///
  /// - Parameter isText: true where they will be parsed.
  /// - Throws: `CheckpointError` of kind `malformed`, also where they are out of proportion to the file, or `outOfMemory`.
  func read(isText: Bool = false) throws(CheckpointError) -> AlignedBytes {
    try HDF5Library.serialized { () throws(CheckpointError) in
      try pay(isText: isText)
      let content = try AlignedBytes(count: byteCount, for: location)
      guard byteCount > 0 else { return content }
      let whole = CHDF5_wholeSpace()
      guard let type = elementType.makeHDF5Type(),
        H5Dread(identifier.id, type.id, whole, whole, CHDF5_defaultProperties(), content.bytes.baseAddress) >= 0
      else { throw .malformed(location, "its data is damaged", remedy: "restore the file from a copy") }
      return content
    }
  }

  private func pay(isText: Bool) throws(CheckpointError) {
    guard let budget else { return }
    let stored = Int(clamping: H5Dget_storage_size(identifier.id))
    guard let total = chunks == nil ? (chunks: 1, bytes: byteCount) : chunks?.total else { throw .malformed(location, "has impossible chunks") }
    try budget.charge(max(total.bytes, byteCount), stored: stored, chunks: total.chunks, isText: isText, location)
    try chunks?.verifyExpansion(of: identifier.id, location)
  }
}
