import CHDF5

/// An object that carries named attributes: a group or a dataset.
protocol HDF5Attributed {
  var identifier: HDF5Identifier { get }
  /// The name of the object in messages.
  var attributeLocation: String { get }
}

extension HDF5Group: HDF5Attributed {
  var attributeLocation: String { location() }
}

extension HDF5Dataset: HDF5Attributed {
  var attributeLocation: String { location }
}

extension HDF5Attributed {
  /// The text of a fixed-length string attribute; `nil` when there is none.
  ///
  /// - Throws: `CheckpointError` of kind `malformed`, also for variable-length strings, which have no checksum.
  func stringAttribute(_ name: String) throws(CheckpointError) -> String? {
    try readAttribute(name) { (attribute, type) throws(CheckpointError) in
      guard H5Tget_class(type) == H5T_STRING, H5Tis_variable_str(type) == 0 else {
        throw .malformed(attributeLocation, "the attribute '\(name)' is no fixed-length string")
      }
      let size = H5Tget_size(type)
      guard size > 0, size <= 1 << 16 else {
        throw .malformed(attributeLocation, "the attribute '\(name)' is too long")
      }
      var bytes = [UInt8](repeating: 0, count: size)
      guard H5Aread(attribute, type, &bytes) >= 0 else {
        throw .malformed(attributeLocation, "the attribute '\(name)' is damaged")
      }
      guard let text = String(validating: bytes.prefix { $0 != 0 }, as: UTF8.self) else {
        throw .malformed(attributeLocation, "the attribute '\(name)' is not UTF-8")
      }
      return text
    }
  }

  /// The value of an integer attribute; `nil` when there is none.
  ///
  /// - Throws: `CheckpointError` of kind `malformed`.
  func integerAttribute(_ name: String) throws(CheckpointError) -> Int? {
    try readAttribute(name) { (attribute, type) throws(CheckpointError) in
      var value: Int64 = 0
      guard H5Tget_class(type) == H5T_INTEGER, H5Tget_size(type) <= 8,
        H5Aread(attribute, CHDF5_nativeInt64(), &value) >= 0
      else { throw .malformed(attributeLocation, "the attribute '\(name)' is no integer") }
      return Int(value)
    }
  }

  /// The value of a floating-point attribute; `nil` when there is none.
  ///
  /// - Throws: `CheckpointError` of kind `malformed`.
  func doubleAttribute(_ name: String) throws(CheckpointError) -> Double? {
    try readAttribute(name) { (attribute, type) throws(CheckpointError) in
      var value = 0.0
      guard H5Tget_class(type) == H5T_FLOAT, H5Tget_size(type) <= 8,
        H5Aread(attribute, CHDF5_nativeDouble(), &value) >= 0
      else { throw .malformed(attributeLocation, "the attribute '\(name)' is no number") }
      return value
    }
  }

  private func readAttribute<Value>(
    _ name: String, _ body: (_ attribute: hid_t, _ type: hid_t) throws(CheckpointError) -> Value
  ) throws(CheckpointError) -> Value? {
    try HDF5Library.serialized { () throws(CheckpointError) in
      let exists = H5Aexists(identifier.id, name)
      guard exists != 0 else { return nil }
      guard exists > 0,
        let attribute = HDF5Identifier(H5Aopen(identifier.id, name, CHDF5_defaultProperties()), closedBy: H5Aclose),
        let type = HDF5Identifier(H5Aget_type(attribute.id), closedBy: H5Tclose),
        let space = HDF5Identifier(H5Aget_space(attribute.id), closedBy: H5Sclose),
        H5Sget_simple_extent_npoints(space.id) == 1
      else { throw .malformed(attributeLocation, "the attribute '\(name)' is damaged or no single value") }
      return try body(attribute.id, type.id)
    }
  }

  /// Adds a fixed-length UTF-8 string attribute.
  func setAttribute(_ name: String, _ text: String) throws(CheckpointError) {
    let bytes = Array(text.utf8)
    try HDF5Library.serialized { () throws(CheckpointError) in
      guard let type = HDF5Identifier(H5Tcopy(CHDF5_string()), closedBy: H5Tclose),
        H5Tset_size(type.id, max(bytes.count, 1)) >= 0, H5Tset_strpad(type.id, H5T_STR_NULLPAD) >= 0,
        H5Tset_cset(type.id, H5T_CSET_UTF8) >= 0
      else { throw attributeFailure(name) }
      try writeAttribute(name, type.id, bytes.isEmpty ? [0] : bytes)
    }
  }

  /// Adds an unsigned 32-bit attribute.
  func setAttribute(_ name: String, _ value: UInt32) throws(CheckpointError) {
    try writeAttribute(name, CHDF5_uint32LE(), withUnsafeBytes(of: value.littleEndian, Array.init))
  }

  /// Adds an unsigned 64-bit attribute.
  func setAttribute(_ name: String, _ value: UInt64) throws(CheckpointError) {
    try writeAttribute(name, CHDF5_uint64LE(), withUnsafeBytes(of: value.littleEndian, Array.init))
  }

  /// Adds a signed 64-bit attribute.
  func setAttribute(_ name: String, _ value: Int64) throws(CheckpointError) {
    try writeAttribute(name, CHDF5_int64LE(), withUnsafeBytes(of: value.littleEndian, Array.init))
  }

  /// Adds a 64-bit floating-point attribute.
  func setAttribute(_ name: String, _ value: Double) throws(CheckpointError) {
    try writeAttribute(name, CHDF5_float64LE(), withUnsafeBytes(of: value.bitPattern.littleEndian, Array.init))
  }

  private func writeAttribute(_ name: String, _ type: hid_t, _ bytes: [UInt8]) throws(CheckpointError) {
    try HDF5Library.serialized { () throws(CheckpointError) in
      let properties = CHDF5_defaultProperties()
      guard let space = HDF5Identifier(H5Screate(H5S_SCALAR), closedBy: H5Sclose),
        let attribute = HDF5Identifier(
          H5Acreate2(identifier.id, name, type, space.id, properties, properties), closedBy: H5Aclose),
        H5Awrite(attribute.id, type, bytes) >= 0
      else { throw attributeFailure(name) }
    }
  }

  private func attributeFailure(_ name: String) -> CheckpointError {
    CheckpointError(.inputOutput, attributeLocation, "cannot write the attribute '\(name)'")
  }
}
