import GraftCheckpoints
import GraftTensors
import GraftTestSupport
import Testing

@Suite("Safetensors reading")
struct SafetensorsReadingTests {
  /// A file of a header, its length told truly, and some bytes of data.
  static func file(_ header: String, data count: Int) -> [UInt8] {
    file(Array(header.utf8), data: count)
  }

  static func file(_ header: [UInt8], data count: Int) -> [UInt8] {
    withUnsafeBytes(of: UInt64(header.count).littleEndian, Array.init) + header
      + (0..<count).map { UInt8(truncatingIfNeeded: $0) }
  }

  static func entry(_ name: String, _ dtype: String, _ shape: String, _ begin: Int, _ end: Int) -> String {
    "\"\(name)\":{\"dtype\":\"\(dtype)\",\"shape\":\(shape),\"data_offsets\":[\(begin),\(end)]}"
  }

  static let a = entry("a", "F32", "[2]", 0, 8)
  static let b = entry("b", "U8", "[3]", 8, 11)

  static let accepted: [(String, [UInt8], [String])] = [
    ("unpadded header", file("{\(a)}", data: 8), ["a"]),
    ("trailing spaces and newlines", file("{\(a)}  \n\r\t ", data: 8), ["a"]),
    ("no tensors", file("{}", data: 0), []),
    ("metadata only", file("{\"__metadata__\":{\"k\":\"v\"}}", data: 0), []),
    ("metadata null", file("{\"__metadata__\":null,\(a)}", data: 8), ["a"]),
    ("any order in the header", file("{\(b),\(a)}", data: 11), ["a", "b"]),
    (
      "unknown fields", file("{\"a\":{\"x\":[{}],\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", data: 8),
      ["a"]
    ),
    ("scalar", file("{\(entry("s", "F64", "[]", 0, 8))}", data: 8), ["s"]),
    (
      "zero-size tensors anywhere",
      file("{\(entry("z", "F32", "[0,5]", 0, 0)),\(a),\(entry("y", "I64", "[0]", 8, 8))}", data: 8), ["z", "a", "y"]
    ),
    (
      "sub-byte elements that fill bytes",
      file("{\(entry("f", "F4", "[4]", 0, 2)),\(entry("g", "F6_E2M3", "[4]", 2, 5))}", data: 5), ["f", "g"]
    ),
    ("escapes in a name", file("{\(entry("n\\u00e9\\n", "U8", "[1]", 0, 1))}", data: 1), ["né\n"]),
    ("rank 8", file("{\(entry("r", "U8", "[1,1,1,1,1,1,1,1]", 0, 1))}", data: 1), ["r"]),
  ]

  @Test("accepts", arguments: accepted.map(\.0))
  func accepts(title: String) throws {
    let (_, content, names) = try #require(Self.accepted.first { $0.0 == title })
    let folder = try TemporaryDirectory()
    let file = try SafetensorsFile(folder.write(content, to: "x.safetensors"))
    #expect(file.tensorNames == names)
  }

  static let rejected: [(String, [UInt8])] = [
    ("an empty file", []),
    ("fewer than 8 bytes", [1, 0, 0, 0, 0, 0, 0]),
    ("a header beyond the file", [3, 0, 0, 0, 0, 0, 0, 0, 0x7B, 0x7D]),
    ("a header of 2^64-1 bytes", Array(repeating: 0xFF, count: 8) + [0x7B, 0x7D]),
    ("a header over 100 MB", withUnsafeBytes(of: UInt64(100_000_001).littleEndian, Array.init) + [0x7B, 0x7D]),
    ("an empty header", file("", data: 0)),
    ("garbage after the JSON", file("{}x", data: 0)),
    ("a leading space", file(" {}", data: 0)),
    ("no object", file("[]", data: 0)),
    ("bad UTF-8", file(Array("{\"".utf8) + [0xFF] + Array("\":{}}".utf8), data: 0)),
    ("a recursion bomb", file("{\"a\":" + String(repeating: "[", count: 100_000), data: 0)),
    ("bytes after the last tensor", file("{\(a)}", data: 9)),
    ("bytes after no tensor", file("{}", data: 1)),
    ("missing bytes", file("{\(a)}", data: 7)),
    ("a hole", file("{\(a),\(entry("b", "U8", "[3]", 9, 12))}", data: 12)),
    ("a first offset that is not 0", file("{\(entry("a", "F32", "[2]", 1, 9))}", data: 9)),
    ("overlap", file("{\(a),\(entry("b", "U8", "[3]", 7, 10))}", data: 10)),
    ("two names on one region", file("{\(a),\(entry("b", "F32", "[2]", 0, 8))}", data: 8)),
    ("an end before its begin", file("{\(entry("a", "U8", "[0]", 1, 0))}", data: 1)),
    ("a byte size that is not the shape's", file("{\(entry("a", "F32", "[3]", 0, 8))}", data: 8)),
    ("a product that overflows", file("{\(entry("a", "U8", "[4294967296,4294967296]", 0, 0))}", data: 0)),
    ("a product that overflows in bits", file("{\(entry("a", "F64", "[2305843009213693952]", 0, 0))}", data: 0)),
    ("an overflow hidden by a zero", file("{\(entry("a", "U8", "[9223372036854775807,9,0]", 0, 0))}", data: 0)),
    ("a negative dimension", file("{\(entry("a", "U8", "[-1]", 0, 0))}", data: 0)),
    ("negative offsets", file("{\(entry("a", "U8", "[1]", -1, 0))}", data: 0)),
    ("a fractional dimension", file("{\(entry("a", "U8", "[1.0]", 0, 1))}", data: 1)),
    ("a dimension that is no number", file("{\(entry("a", "U8", "[\"1\"]", 0, 1))}", data: 1)),
    ("an unknown dtype", file("{\(entry("a", "F33", "[1]", 0, 4))}", data: 4)),
    ("sub-byte elements that do not fill bytes", file("{\(entry("a", "F4", "[3]", 0, 2))}", data: 2)),
    ("a duplicate key with another range", file("{\(a),\(entry("a", "U8", "[3]", 8, 11))}", data: 11)),
    ("an exact duplicate key", file("{\(a),\(a)}", data: 8)),
    ("an empty name", file("{\(entry("", "U8", "[1]", 0, 1))}", data: 1)),
    ("a name over 1 KiB", file("{\(entry(String(repeating: "n", count: 1025), "U8", "[1]", 0, 1))}", data: 1)),
    (
      "names equal but for normalization",
      file("{\(entry("\\u00e9", "U8", "[1]", 0, 1)),\(entry("e\\u0301", "U8", "[1]", 1, 2))}", data: 2)
    ),
    ("rank 9", file("{\(entry("r", "U8", "[1,1,1,1,1,1,1,1,1]", 0, 1))}", data: 1)),
    ("metadata that is no string", file("{\"__metadata__\":{\"k\":1},\(a)}", data: 8)),
    ("metadata that is no object", file("{\"__metadata__\":[],\(a)}", data: 8)),
    ("no dtype", file("{\"a\":{\"shape\":[2],\"data_offsets\":[0,8]}}", data: 8)),
    ("no shape", file("{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,8]}}", data: 8)),
    ("no offsets", file("{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", data: 8)),
    ("one offset", file("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8]}}", data: 8)),
    ("an entry that is no object", file("{\"a\":1}", data: 0)),
  ]

  @Test("rejects", arguments: rejected.map(\.0))
  func rejects(title: String) throws {
    let (_, content) = try #require(Self.rejected.first { $0.0 == title })
    let folder = try TemporaryDirectory()
    let path = try folder.write(content, to: "x.safetensors")
    expectError(.malformed, path) { try SafetensorsFile(path) }
  }

  @Test("tells missing files, directories and devices apart")
  func missing() throws {
    let folder = try TemporaryDirectory()
    expectError(.missing, "no such file") { try SafetensorsFile(folder.file("none")) }
    expectError(.missing, "is a folder, not a file") { try SafetensorsFile(folder.path) }
    expectError(.missing, "is a device, not a file") { try SafetensorsFile("/dev/null") }
  }

  @Test("reads what the reference implementation writes, every type of it")
  func referenceTypes() throws {
    let file = try SafetensorsFile(fixture("types.safetensors"))
    #expect(file.metadata == ["format": "pt"])
    #expect(file.tensorNames.count == 22)
    #expect(
      file.description(of: "t.complex64") == TensorDescription(name: "t.complex64", elementType: .complex64, shape: [2])
    )
    #expect(try file.tensor("scalar").values == [2.5])
    #expect(try file.tensor("scalar").shape == [])
    #expect(try file.tensor("empty").shape == [0, 3])
    #expect(bits(try file.tensor("名前")) == [0x80, 0x3F, 0x80, 0xBF])
    #expect(try file.tensor("名前").dtype == .bfloat16)
    for (index, dtype) in [("uint8", ElementFormat.uint8), ("int8", .int8), ("int16", .int16)].enumerated() {
      let tensor = try file.tensor("t.\(dtype.0)")
      #expect(tensor.dtype == dtype.1)
      #expect(bits(tensor) == (0..<16).map { UInt8($0 + index + 1) })
    }
    #expect(bits(try file.tensor("t.int64")) == (0..<16).map { UInt8($0 + 12) })
    expectError(.unsupported, "t.uint16") { try file.tensor("t.uint16") }
    expectError(.unsupported, "F8_E4M3") { try file.tensor("t.float8_e4m3fn") }
    expectError(.malformed, "no tensor 'nothing'") { try file.tensor("nothing") }
  }

  @Test("tensors outlive their file, and are aligned whatever the header's length")
  func lifetimeAndAlignment() throws {
    let folder = try TemporaryDirectory()
    for padding in 0..<8 {
      let header = "{\(Self.entry("a", "F32", "[2]", 0, 8))}" + String(repeating: " ", count: padding)
      let path = try folder.write(Self.file(header, data: 8), to: "x.safetensors")
      let tensor = try SafetensorsFile(path).tensor("a")
      #expect(bits(tensor) == [0, 1, 2, 3, 4, 5, 6, 7])
      tensor.withUnsafeBytes { #expect(Int(bitPattern: $0.baseAddress) % 4 == 0) }
    }
  }

  @Test("any flipped or cut byte is survived")
  func damage() throws {
    let folder = try TemporaryDirectory()
    let original = try bytes(of: fixture("two.safetensors"))
    for index in 0..<150 {
      for bit in 0..<8 {
        var damaged = original
        damaged[index] ^= 1 << bit
        _ = try? SafetensorsFile(folder.write(damaged, to: "x.safetensors")).tensor("a")
      }
    }
    for count in original.indices {
      expectError(.malformed) { try SafetensorsFile(folder.write(original[..<count], to: "x.safetensors")) }
    }
  }
}
