import Foundation
import GraftCheckpoints
import GraftTensors
import GraftTestSupport
import Testing

@Suite("GGUF files")
struct GGUFFileTests {
  private static let metadata: [(key: String, value: GGUFValue)] = [
    ("general.architecture", .string("llama")), ("general.type", .string("adapter")), ("adapter.type", .string("lora")),
    ("adapter.lora.alpha", .float32(16)),
  ]

  private static func write(_ tensors: [(name: String, tensor: Tensor)], _ metadata: [(key: String, value: GGUFValue)], to path: String) throws {
    try GGUFWriter.write(metadata: metadata, tensors.map { GGUFTensor(name: $0.name, of: $0.tensor) }, to: path) { description in
      try #require(tensors.first { $0.name == description.name }).tensor
    }
  }

  @Test("writes the bytes that llama.cpp's own library writes")
  func goldenBytes() throws {
    let folder = try TemporaryDirectory()
    let tensors: [(name: String, tensor: Tensor)] = [
      ("blk.0.attn_q.weight.lora_a", Tensor((0..<8).map(Float.init), [2, 4])),
      ("blk.0.attn_q.weight.lora_b", Tensor((0..<12).map(Float.init), [6, 2])),
    ]
    try Self.write(tensors, Self.metadata, to: folder.file("lora.gguf"))
    let golden = try bytes(of: fixture("lora.gguf"))
    #expect(golden.count == 416)
    #expect(try bytes(of: folder.file("lora.gguf")) == golden)
    let file = try GGUFFile(fixture("lora.gguf"))
    #expect(file.entries.map(\.shape) == [[2, 4], [6, 2]])
    #expect(try file.tensor("blk.0.attn_q.weight.lora_b").values == (0..<12).map(Float.init))
    #expect(file["adapter.lora.alpha"] == .float32(16))
  }

  @Test("reads every kind of value and of tensor")
  func readsValues() throws {
    let file = try GGUFFile(fixture("values.gguf"))
    #expect(file.version == 3)
    let integers = ["uint8": 200, "int8": -3, "uint16": 60000, "int16": -300, "uint32": 1 << 31, "int32": -70000, "uint64": 1 << 40, "int64": -5]
    for (kind, value) in integers { #expect(file["a.\(kind)"]?.int == value, "\(kind)") }
    #expect(file["a.float32"]?.double == 0.5)
    #expect(file["a.float64"]?.double == 0.1)
    #expect(file["a.bool"]?.bool == true)
    #expect(file["a.string"]?.string == "é")
    #expect(file["a.strings"]?.array?.strings == ["one", "", "three"])
    #expect(file["a.integers"]?.array?.integers == [1, -2, 3])
    #expect(file["a.floats"]?.array?.floats == [0.5, 1.5])
    #expect(file["a.floats"]?.array?.strings == nil && file["none"] == nil)
    #expect(file["general.alignment"] == .uint32(64))
    #expect(try file.tensor("half").values == [0, 1, 2, 3, 4, 5])
    #expect(bits(try file.tensor("bytes")) == [0, 1, 2])
    #expect(file.entry(of: "blocks")?.format == .q8_0 && file.entry(of: "blocks")?.shape == [2, 32])
    expectError(.unsupported, "Q8_0") { try file.tensor("blocks") }
    expectError(.malformed, "no tensor") { try file.tensor("other") }
  }

  @Test("what is written is read back, exactly")
  func roundTrip() throws {
    let folder = try TemporaryDirectory()
    let path = folder.file("a.gguf")
    let tensors: [(name: String, tensor: Tensor)] = [
      ("scalar", Tensor([0.5], [])), ("none", Tensor([], [0, 4])), ("brain", tensor(bytes: [0x80, 0x3F, 0x40, 0xC0], [2, 1], .bfloat16)),
      ("wide", tensor(bytes: (0..<16).map { $0 }, [1, 2, 1, 1], .float64)),
    ]
    let metadata: [(key: String, value: GGUFValue)] = [
      ("a", .array(GGUFArray(["", "é", "long enough to leave its place"]))), ("b", .array(GGUFArray([Float(1), -2]))),
      ("c", .array(GGUFArray([Int32(-7)]))), ("d", .uint64(.max)), ("e", .int8(-1)), ("f", .bool(false)), ("g", .float64(.pi)), ("h", .string("")),
    ]
    try Self.write(tensors, metadata, to: path)
    let file = try GGUFFile(path)
    #expect(file.metadata.map(\.key) == metadata.map(\.key))
    #expect(file.metadata.map(\.value) == metadata.map(\.value))
    for (name, tensor) in tensors {
      let read = try file.tensor(name)
      #expect(read.shape == tensor.shape && read.dtype == tensor.dtype && bits(read) == bits(tensor))
    }
    #expect(folder.entries == ["a.gguf"])
    for refused in [
      ("b", tensor(bytes: [1], [1], .bool)), (String(repeating: "n", count: 64), Tensor([1], [1])), ("r", Tensor([1], [1, 1, 1, 1, 1])),
    ] {
      expectError(.unsupported) { try Self.write([refused], [], to: folder.file("b.gguf")) }
    }
    #expect(folder.entries == ["a.gguf"])
  }

  /// Places in lora.gguf and what is put there.
  static let changes: [(String, Int, [UInt8], CheckpointError.Kind, String)] = [
    ("another magic", 0, [0x46], .malformed, "no GGUF file"), ("version 1", 4, [1], .unsupported, "version 1"),
    ("big-endian", 4, [0, 0, 0, 3], .unsupported, "big-endian"), ("version 4", 4, [4], .unsupported, "version 4"),
    ("too many tensors", 8, [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], .malformed, "room"),
    ("one tensor more", 8, [3], .malformed, ""), ("one tensor fewer", 8, [1], .malformed, ""),
    ("too many values", 16, [0, 0, 0, 0, 1], .malformed, "room"), ("a long key", 24, [0xFF, 0xFF], .malformed, ""),
    ("a key without end", 24, [0, 0, 0, 0, 0, 0, 0, 0x80], .malformed, "room"), ("an empty key", 24, [0], .malformed, "a key"),
    ("a key that is not UTF-8", 32, [0xFF], .malformed, "UTF-8"), ("an unknown type", 52, [13], .malformed, "unknown type"),
    ("a text without end", 56, [0xFF, 0xFF], .malformed, "room"),
  ]

  @Test("refuses headers that make no sense", arguments: changes.map(\.0))
  func refuses(name: String) throws {
    let (_, position, replacement, kind, text) = try #require(Self.changes.first { $0.0 == name })
    let folder = try TemporaryDirectory()
    var damaged = try bytes(of: fixture("lora.gguf"))
    damaged.replaceSubrange(position..<position + replacement.count, with: replacement)
    let path = try folder.write(damaged, to: "damaged.gguf")
    expectError(kind, text) { try GGUFFile(path) }
  }

  @Test("refuses tensors out of place, cut files and trailing bytes")
  func refusesTensors() throws {
    let folder = try TemporaryDirectory()
    let original = try bytes(of: fixture("lora.gguf"))
    let name = Array("blk.0.attn_q.weight.lora_b".utf8)
    let start = try #require(original.indices.first { original[$0...].starts(with: name) }) + name.count
    func changed(_ offset: Int, _ value: UInt8) throws -> String {
      var bytes = original
      bytes[start + offset] = value
      return try folder.write(bytes, to: "changed.gguf")
    }
    expectError(.malformed, "5 dimensions") { try GGUFFile(changed(0, 5)) }
    expectError(.malformed) { try GGUFFile(changed(4, 3)) }
    expectError(.malformed, "impossible") { try GGUFFile(changed(11, 0xFF)) }
    expectError(.malformed, "cannot have the shape") { try GGUFFile(changed(11, 0x7F)) }
    expectError(.unsupported, "unknown type 99") { try GGUFFile(changed(20, 99)) }
    expectError(.malformed, "cannot have the shape") { try GGUFFile(changed(20, 12)) }
    expectError(.malformed, "expected 32") { try GGUFFile(changed(24, 64)) }
    var twice = original
    twice[start - 1] = UInt8(ascii: "a")
    expectError(.malformed, "two tensors of one name") { try GGUFFile(folder.write(twice, to: "twice.gguf")) }
    expectError(.malformed, "goes on") { try GGUFFile(folder.write(original + [0], to: "more.gguf")) }
    for count in 0..<original.count - 16 {
      let cut = try folder.write(original[..<count], to: "cut.gguf")
      expectError(.malformed) { try GGUFFile(cut) }
    }
    // The padding of the last tensor may be missing.
    #expect(try GGUFFile(folder.write(original[..<400], to: "unpadded.gguf")).entries.count == 2)
    let metadata: [(key: String, value: GGUFValue)] = [("general.alignment", .uint32(48))]
    try Self.write([], metadata, to: folder.file("alignment.gguf"))
    expectError(.malformed, "power of two") { try GGUFFile(folder.file("alignment.gguf")) }
  }
}
