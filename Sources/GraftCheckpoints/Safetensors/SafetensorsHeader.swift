import GraftJSON

/// The validated header of a safetensors file: its tensors with their places in the data section.
///
/// Stricter than the reference reader where the written specification is: the header begins with `{`, no key is
/// duplicated, no name is empty.
struct SafetensorsHeader {
  struct Entry {
    let description: TensorDescription
    /// Relative to the data section.
    let byteRange: Range<Int>
  }

  /// In the order of the data.
  private(set) var entries: [Entry] = []
  private(set) var metadata: [String: String] = [:]
  /// The offset of the data section in the file.
  let dataOffset: Int

  private static let maximumHeaderBytes = 100_000_000
  private static let maximumTensors = 1_000_000
  private static let maximumRank = 8
  private static let maximumNameBytes = 1024

  /// - Throws: `CheckpointError` of kind `malformed`, before anything of a declared size is allocated.
  init(_ file: UnsafeRawBufferPointer, path: String) throws(CheckpointError) {
    func malformed(_ problem: String) -> CheckpointError {
      .malformed(path, problem, remedy: "the file is damaged or no safetensors file; fetch it again")
    }
    guard file.count >= 8 else { throw malformed("\(file.count) bytes are too few for a safetensors file") }
    let declared = UInt64(littleEndian: file.loadUnaligned(as: UInt64.self))
    guard declared <= Self.maximumHeaderBytes else { throw malformed("a header of \(declared) bytes is too large") }
    guard declared <= file.count - 8 else {
      throw malformed("the header's \(declared) bytes reach beyond the file's end")
    }
    dataOffset = 8 + Int(declared)

    let headerBytes = UnsafeRawBufferPointer(rebasing: file[8..<dataOffset])
    guard headerBytes.first == UInt8(ascii: "{") else { throw malformed("the header does not begin with '{'") }
    let members: JSONObject
    do {
      members = try JSON(parsing: headerBytes).object ?? [:]
    } catch {
      throw malformed("the header is no valid JSON: \(error)")
    }
    guard members.count <= Self.maximumTensors + 1 else { throw malformed("more than \(Self.maximumTensors) tensors") }

    for (name, value) in members {
      if name == "__metadata__" {
        metadata = try Self.metadata(value, malformed)
      } else {
        entries.append(try Self.entry(name, value, malformed))
      }
    }
    entries.sort {
      ($0.byteRange.lowerBound, $0.byteRange.upperBound) < ($1.byteRange.lowerBound, $1.byteRange.upperBound)
    }
    try requireFilled(byteCount: file.count - dataOffset, malformed)
  }

  /// - Throws: `CheckpointError` of kind `malformed` where the tensors do not fill the data one behind the other.
  private func requireFilled(byteCount: Int, _ malformed: (String) -> CheckpointError) throws(CheckpointError) {
    var end = 0
    for entry in entries {
      guard entry.byteRange.lowerBound == end else {
        throw malformed("tensor '\(entry.description.name)' begins at byte \(entry.byteRange.lowerBound) of the data, expected \(end)")
      }
      end = entry.byteRange.upperBound
    }
    guard end == byteCount else { throw malformed("the tensors fill \(end) bytes, but \(byteCount) follow the header") }
  }

  private static func metadata(
    _ value: JSON, _ malformed: (String) -> CheckpointError
  ) throws(CheckpointError) -> [String: String] {
    if value.isNull { return [:] }
    guard let members = value.object else {
      throw malformed("__metadata__ is \(value.kindDescription), expected an object")
    }
    var metadata: [String: String] = [:]
    for (key, value) in members {
      guard let text = value.string else {
        throw malformed("metadata '\(key)' is \(value.kindDescription), expected a string")
      }
      metadata[key] = text
    }
    return metadata
  }

  private static func entry(
    _ name: String, _ value: JSON, _ malformed: (String) -> CheckpointError
  ) throws(CheckpointError) -> Entry {
    guard !name.isEmpty else { throw malformed("a tensor without a name") }
    guard name.utf8.count <= maximumNameBytes else {
      throw malformed("a tensor's name is longer than \(maximumNameBytes) bytes")
    }
    guard let typeName = value["dtype"]?.string else { throw malformed("tensor '\(name)' has no dtype") }
    guard let elementType = ElementType(rawValue: typeName) else {
      throw malformed("tensor '\(name)' has the unknown dtype '\(typeName)'")
    }
    guard let shape = naturals(value["shape"]) else { throw malformed("tensor '\(name)' has no valid shape") }
    guard shape.count <= maximumRank else {
      throw malformed("tensor '\(name)' has more than \(maximumRank) dimensions")
    }
    guard let offsets = naturals(value["data_offsets"]), offsets.count == 2, offsets[0] <= offsets[1] else {
      throw malformed("tensor '\(name)' has no valid data_offsets")
    }
    guard let byteCount = elementType.byteCount(of: shape), byteCount == offsets[1] - offsets[0] else {
      throw malformed(
        "tensor '\(name)' of dtype \(typeName) and shape \(shape) does not fill \(offsets[1] - offsets[0]) bytes")
    }
    let description = TensorDescription(name: name, elementType: elementType, shape: shape)
    return Entry(description: description, byteRange: offsets[0]..<offsets[1])
  }

  private static func naturals(_ value: JSON?) -> [Int]? {
    guard let elements = value?.array else { return nil }
    var naturals: [Int] = []
    for element in elements {
      guard case .integer(let natural) = element, natural >= 0 else { return nil }
      naturals.append(natural)
    }
    return naturals
  }
}
