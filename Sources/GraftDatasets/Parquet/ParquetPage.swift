import GraftFiles
import GraftJSON

/// Why a Parquet file is not read.
enum ParquetFault: Error {
  case damaged
  /// A part of the format that is not known here, in words.
  case unsupported(String)
}

/// The values of one page.
struct ParquetPage {
  private let bytes: ArraySlice<UInt8>

  init(_ bytes: ArraySlice<UInt8>) { self.bytes = bytes }

  /// Reads `count` values of a column.
  func values(_ count: Int, of node: ParquetNode, encoding: Int, dictionary: [JSON]) throws(ParquetFault) -> [JSON] {
    switch encoding {
    case 0: return try plain(count, of: node)
    case 2, 8:
      guard let width = bytes.first else {
        if count == 0 { return [] }
        throw .damaged
      }
      return try HybridRuns.values(count, width: Int(width), in: bytes.dropFirst()).map { index throws(ParquetFault) in
        guard index < dictionary.count else { throw .damaged }
        return dictionary[Int(index)]
      }
    case 3 where node.type == 0: return try HybridRuns.values(count, width: 1, in: bytes.dropFirst(4)).map { .bool($0 == 1) }
    default:
      let names = [
        4: "BIT_PACKED", 5: "DELTA_BINARY_PACKED", 6: "DELTA_LENGTH_BYTE_ARRAY", 7: "DELTA_BYTE_ARRAY", 9: "BYTE_STREAM_SPLIT",
      ]
      throw .unsupported("column \(node.name) is encoded as \(names[encoding] ?? "\(encoding)")")
    }
  }

  private func plain(_ count: Int, of node: ParquetNode) throws(ParquetFault) -> [JSON] {
    var rest = bytes
    func take(_ size: Int) throws(ParquetFault) -> ArraySlice<UInt8> {
      guard size >= 0, size <= rest.count else { throw .damaged }
      defer { rest = rest.dropFirst(size) }
      return rest.prefix(size)
    }
    var values: [JSON] = []
    guard node.type != 0 else {
      guard (count + 7) / 8 <= bytes.count else { throw .damaged }
      return (0..<count).map { .bool(bytes[bytes.startIndex + $0 / 8] >> UInt8($0 % 8) & 1 == 1) }
    }
    values.reserveCapacity(min(count, bytes.count))
    for _ in 0..<count {
      switch node.type {
      case 1: values.append(.integer(Int(Int32(truncatingIfNeeded: Self.integer(try take(4))))))
      case 2: values.append(.integer(Int(truncatingIfNeeded: Self.integer(try take(8)))))
      case 3:
        _ = try take(12)
        values.append(.null)
      case 4: values.append(Self.number(Double(Float(bitPattern: UInt32(truncatingIfNeeded: Self.integer(try take(4)))))))
      case 5: values.append(Self.number(Double(bitPattern: Self.integer(try take(8)))))
      case 6: values.append(Self.text(try take(Int(Self.integer(try take(4))))))
      case 7:
        guard node.typeLength > 0 else { throw .damaged }
        values.append(Self.text(try take(node.typeLength)))
      default: throw .damaged
      }
    }
    return values
  }

  /// Little-endian bytes.
  static func integer(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) } }

  /// JSON has no number that is not finite.
  private static func number(_ value: Double) -> JSON { value.isFinite ? .number(value) : .null }

  /// Bytes that are no text, as those of a picture, are nothing that is read.
  private static func text(_ bytes: ArraySlice<UInt8>) -> JSON { String(validating: bytes, as: UTF8.self).map(JSON.string) ?? .null }
}

/// Runs of small integers, of one value or packed in bits: Parquet's levels and indices.
enum HybridRuns {
  /// Reads `count` integers of `width` bits, at most 32.
  static func values(_ count: Int, width: Int, in bytes: ArraySlice<UInt8>) throws(ParquetFault) -> [UInt32] {
    guard (0...32).contains(width) else { throw .damaged }
    var values: [UInt32] = []
    values.reserveCapacity(count)
    var rest = bytes
    while values.count < count {
      let header = try varint(&rest)
      let wanted = count - values.count
      if header & 1 == 0 {
        let size = (width + 7) / 8
        guard size <= rest.count, header > 0 else { throw .damaged }
        let value = UInt32(truncatingIfNeeded: ParquetPage.integer(rest.prefix(size)))
        rest = rest.dropFirst(size)
        values.append(contentsOf: repeatElement(value, count: min(wanted, Int(clamping: header >> 1))))
      } else {
        let groups = Int(clamping: header >> 1)
        guard groups > 0, width == 0 || groups <= rest.count / width + 1 else { throw .damaged }
        let size = min(width == 0 ? 0 : groups * width, rest.count)
        let packed = min(wanted, width == 0 ? groups.multipliedReportingOverflow(by: 8).partialValue.magnitude.clamped : size * 8 / width)
        guard packed > 0 else { throw .damaged }
        unpack(packed, width: width, in: rest.prefix(size), to: &values)
        rest = rest.dropFirst(size)
      }
    }
    return values
  }

  private static func unpack(_ count: Int, width: Int, in bytes: ArraySlice<UInt8>, to values: inout [UInt32]) {
    var (buffer, bits, position) = (UInt64(0), 0, bytes.startIndex)
    let mask = UInt64(1) << UInt64(width) - 1
    for _ in 0..<count {
      while bits < width {
        buffer |= UInt64(bytes[position]) << UInt64(bits)
        (bits, position) = (bits + 8, position + 1)
      }
      values.append(UInt32(truncatingIfNeeded: buffer & mask))
      (buffer, bits) = (buffer >> UInt64(width), bits - width)
    }
  }

  private static func varint(_ rest: inout ArraySlice<UInt8>) throws(ParquetFault) -> UInt64 {
    var result: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 63, by: 7) {
      guard let byte = rest.popFirst() else { throw .damaged }
      result |= UInt64(byte & 127) << shift
      if byte < 128 { return result }
    }
    throw .damaged
  }
}

extension UInt {
  fileprivate var clamped: Int { Int(clamping: self) }
}

/// Snappy's block format, as Parquet's pages are compressed by default.
enum Snappy {
  /// Expands a block of a known size.
  ///
  /// - Returns: nil where it is damaged or has another size.
  static func expand(_ bytes: ArraySlice<UInt8>, size: Int) -> [UInt8]? {
    var rest = bytes
    var declared = 0
    for shift in stride(from: 0, to: 35, by: 7) {
      guard let byte = rest.popFirst() else { return nil }
      declared |= Int(byte & 127) << shift
      if byte < 128 { break }
    }
    guard declared == size else { return nil }
    var output: [UInt8] = []
    // A copy of three bytes makes 64 at most: what is declared has to be there.
    guard size <= bytes.count * 64 else { return nil }
    output.reserveCapacity(size)
    while let tag = rest.popFirst() {
      var length = Int(tag >> 2) + 1
      if tag & 3 == 0 {
        if length > 60 {
          let extra = length - 60
          guard rest.count >= extra else { return nil }
          length = Int(ParquetPage.integer(rest.prefix(extra))) + 1
          rest = rest.dropFirst(extra)
        }
        guard length <= rest.count, output.count + length <= size else { return nil }
        output += rest.prefix(length)
        rest = rest.dropFirst(length)
        continue
      }
      let offsetSize = tag & 3 == 1 ? 1 : tag & 3 == 2 ? 2 : 4
      guard rest.count >= offsetSize else { return nil }
      var offset = Int(ParquetPage.integer(rest.prefix(offsetSize)))
      rest = rest.dropFirst(offsetSize)
      if tag & 3 == 1 {
        length = Int(tag >> 2 & 7) + 4
        offset |= Int(tag >> 5) << 8
      }
      guard offset > 0, offset <= output.count, output.count + length <= size else { return nil }
      let start = output.count - offset
      for index in 0..<length { output.append(output[start + index]) }
    }
    return output.count == size ? output : nil
  }
}
