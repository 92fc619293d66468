import CHDF5

extension ElementType {
  /// The element types an adapter file may hold.
  static let storableInHDF5: [ElementType] = [
    .float32, .bfloat16, .float16, .float64, .int8, .uint8, .int16, .int32, .int64,
  ]

  /// The HDF5 type of the stored bytes; `nil` where there is none. Booleans are bytes.
  func makeHDF5Type() -> HDF5Identifier? {
    let id: hid_t
    switch self {
    case .float32: id = H5Tcopy(CHDF5_float32LE())
    case .float64: id = H5Tcopy(CHDF5_float64LE())
    case .float16: id = CHDF5_float16LE()
    case .bfloat16: id = CHDF5_bfloat16LE()
    case .int8: id = H5Tcopy(CHDF5_int8LE())
    case .int16: id = H5Tcopy(CHDF5_int16LE())
    case .int32: id = H5Tcopy(CHDF5_int32LE())
    case .int64: id = H5Tcopy(CHDF5_int64LE())
    case .uint8, .bool: id = H5Tcopy(CHDF5_uint8LE())
    default: return nil
    }
    return HDF5Identifier(id, closedBy: H5Tclose)
  }

  /// The element type whose HDF5 type equals `type`, if any.
  static func matching(hdf5Type type: hid_t) -> ElementType? {
    storableInHDF5.first { candidate in
      candidate.makeHDF5Type().map { H5Tequal($0.id, type) > 0 } ?? false
    }
  }
}
