import Foundation
import GraftCheckpoints
import GraftTensors
import GraftTestSupport
import Testing

@Suite("PyTorch state dictionaries")
struct TorchArchiveTests {
  /// A dictionary of one tensor of two elements, in instructions of a pickle.
  private static let honest =
    "}(X\u{1}\0\0\0a"
    + "ctorch._utils\n_rebuild_tensor_v2\n((X\u{7}\0\0\0storagectorch\nFloatStorage\nX\u{1}\0\0\00X\u{3}\0\0\0cpuK\u{2}tQK\0K\u{2}\u{85}K\u{1}\u{85}"
    + "\u{89}ccollections\nOrderedDict\n)RtRu."

  /// An archive of such a pickle; characters up to U+00FF stand for bytes.
  private static func archive(_ instructions: String, in folder: TemporaryDirectory, elements: [UInt8] = [UInt8](repeating: 0, count: 8)) throws
    -> String
  {
    let path = folder.file("archive.bin")
    var zip = try ZipWriter(at: path)
    try zip.add("archive/data.pkl", [0x80, 2] + instructions.unicodeScalars.map { UInt8($0.value) })
    try zip.add("archive/data/0", elements)
    try zip.finish()
    return path
  }

  @Test("reads what PEFT pickled, equal to what it wrote as safetensors")
  func readsPEFT() throws {
    let pickled = try AdapterFile.read(fixture("peft-pickled")).adapter()
    let original = try AdapterFile.read(fixture("peft")).adapter()
    #expect(pickled.contentSHA256 == original.contentSHA256)
    #expect(pickled.peftType == "LORA")
  }

  @Test("reads views of every kind")
  func readsViews() throws {
    let tensors = Dictionary(uniqueKeysWithValues: try TorchArchive.read(fixture("views.bin")).map { ($0.name, $0.tensor) })
    let run = (0..<24).map(Float.init)
    #expect(tensors["whole"]?.values == run)
    #expect(tensors["turned"]?.shape == [6, 4])
    let turned: [Float] = (0..<24).map { place in Float(place % 4 * 6 + place / 4) }
    #expect(tensors["turned"]?.values == turned)
    #expect(tensors["part"]?.values == Array(run[5..<11]))
    #expect(tensors["columns"]?.values == [1, 2, 7, 8, 13, 14, 19, 20])
    #expect(tensors["scalar"]?.shape == [] && tensors["scalar"]?.scalar == 2.5)
    #expect(tensors["empty"]?.shape == [0, 3])
    #expect(tensors["half"]?.dtype == .float16 && tensors["half"]?.values == [1, -2])
    #expect(tensors["brain"]?.dtype == .bfloat16 && tensors["brain"]?.values == [1, -2])
    #expect(tensors["long"]?.dtype == .int64)
    #expect(tensors["truth"].map(bits) == [1, 0])
    #expect(tensors.count == 10)
  }

  @Test("what is written is read back, exactly")
  func roundTrip() throws {
    let folder = try TemporaryDirectory()
    let tensors: [(name: String, tensor: Tensor)] = [
      ("a.weight", Tensor([1, -2.5, 3, 4, 5, 6], [2, 3])), ("half", tensor(bytes: [0, 0x3C, 0, 0xC0], [2], .float16)),
      ("none", Tensor([], [0, 4])), ("scalar", Tensor([0.5], [])), ("long", tensor(bytes: (0..<16).map { $0 }, [2], .int64)),
    ]
    try TorchArchive.write(tensors, root: "archive", to: folder.file("a.bin"))
    let read = try TorchArchive.read(folder.file("a.bin"))
    #expect(read.map(\.name) == tensors.map(\.name))
    for (left, right) in zip(read, tensors) {
      #expect(left.tensor.shape == right.tensor.shape && left.tensor.dtype == right.tensor.dtype && bits(left.tensor) == bits(right.tensor))
    }
    #expect(folder.entries == ["a.bin"])
    #expect(try TorchArchive.read(Self.archive(Self.honest, in: folder)).map(\.tensor.shape) == [[2]])
  }

  static let malicious: [(String, String, CheckpointError.Kind, String)] = [
    ("a call of the shell", "cos\nsystem\n(X\u{2}\0\0\0ls\u{85}R.", .unsupported, "os.system"),
    ("a call of the evaluator", "cbuiltins\neval\n(X\u{1}\0\0\01\u{85}R.", .unsupported, "builtins.eval"),
    ("another function of torch", "ctorch\nload\n.", .unsupported, "torch.load"),
    ("another tensor", "ctorch._utils\n_rebuild_parameter\n.", .unsupported, "_rebuild_parameter"),
    ("a call of a dictionary", "}(X\u{1}\0\0\0atR.", .unsupported, "calls what"),
    ("a filled dictionary by call", "ccollections\nOrderedDict\n(K\u{1}tR.", .unsupported, "calls what"),
    ("an object with state", "K\u{1}}b.", .unsupported, "sets the state"),
    ("an instance", "(i__main__\nA\n.", .unsupported, "instruction 0x69"),
    ("a name from the stack", "X\u{2}\0\0\0osX\u{6}\0\0\0system\u{93}.", .unsupported, "instruction 0x93"),
    ("a registered extension", "\u{82}\u{1}.", .unsupported, "instruction 0x82"),
    ("a list", "].", .unsupported, "instruction 0x5d"),
    ("many marks", String(repeating: "(", count: 100_000) + ".", .unsupported, "nested deeper"),
    ("nested tuples", ")" + String(repeating: "\u{85}", count: 100_000) + ".", .unsupported, "more values"),
    ("a tuple of itself doubled", ")" + String(repeating: "q\u{0}h\u{0}\u{86}", count: 50_000) + ".", .unsupported, "no dictionary"),
    ("a full stack", String(repeating: "N", count: 100_000) + ".", .unsupported, "more values"),
    ("many dictionaries", String(repeating: "}", count: 60_000) + ".", .unsupported, "more values"),
    ("a cycle", "}q\0X\u{1}\0\0\0ah\0s.", .unsupported, "no dictionary of tensors"),
    ("a value that is no tensor", "}X\u{1}\0\0\0aK\u{1}s.", .unsupported, "no dictionary of tensors"),
    ("an integer", "K\u{1}.", .unsupported, "no dictionary of tensors"),
    ("a long integer", "\u{8A}\u{FF}" + String(repeating: "\u{1}", count: 255) + ".", .unsupported, "integer of 255 bytes"),
    ("an endless name", "c" + String(repeating: "a", count: 1000) + "\nb\n.", .unsupported, "256 bytes"),
    ("a string beyond the end", "X\u{FF}\u{FF}\u{FF}\u{7F}a.", .malformed, "ends within"),
    ("nothing", "", .malformed, "ends within"),
    ("an empty stack", ".", .malformed, "makes no sense"),
    ("a memo that is empty", "h\u{7}.", .malformed, "makes no sense"),
    ("no mark", "t.", .malformed, "makes no sense"),
    ("half a pair", "}(K\u{1}u.", .malformed, "makes no sense"),
    ("items of nothing", "K\u{1}K\u{1}s.", .malformed, "makes no sense"),
  ]

  @Test("refuses pickles that do anything else", arguments: malicious.map(\.0))
  func refuses(name: String) throws {
    let (_, instructions, kind, text) = try #require(Self.malicious.first { $0.0 == name })
    let folder = try TemporaryDirectory()
    let path = try Self.archive(instructions, in: folder)
    expectError(kind, text) { try TorchArchive.read(path) }
  }

  @Test(
    "refuses tensors that do not fit their elements",
    arguments: [
      ("K\u{2}\u{85}K\u{1}\u{85}", "K\u{3}\u{85}K\u{1}\u{85}"), ("K\u{2}\u{85}K\u{1}\u{85}", "K\u{2}\u{85}K\u{2}\u{85}"),
      ("K\u{2}\u{85}K\u{1}\u{85}", "J\u{FF}\u{FF}\u{FF}\u{7F}\u{85}K\0\u{85}"),
      ("K\u{2}\u{85}K\u{1}\u{85}", "J\u{FF}\u{FF}\u{FF}\u{FF}\u{85}K\u{1}\u{85}"), ("K\u{2}\u{85}K\u{1}\u{85}", "K\u{2}\u{85}K\u{1}K\u{1}\u{86}"),
      ("tQK\0K", "tQK\u{1}K"), ("cpuK\u{2}", "cpuK\u{3}"), ("FloatStorage", "DoubleStorage"), ("X\u{1}\0\0\00", "X\u{1}\0\0\01"),
      (
        "K\u{2}\u{85}K\u{1}\u{85}",
        "K\u{2}K\u{2}\u{86}\u{8A}\u{8}\u{FF}\u{FF}\u{FF}\u{FF}\u{FF}\u{FF}\u{FF}\u{7F}\u{8A}\u{8}\u{FF}\u{FF}\u{FF}\u{FF}\u{FF}\u{FF}\u{FF}\u{7F}\u{86}"
      ),
    ])
  func refusesViews(change: (String, String)) throws {
    let folder = try TemporaryDirectory()
    let changed = Self.honest.replacingOccurrences(of: change.0, with: change.1)
    try #require(changed != Self.honest)
    let path = try Self.archive(changed, in: folder)
    expectError(.malformed) { try TorchArchive.read(path) }
  }

  @Test("refuses archives that are cut, compressed, damaged or no archives")
  func refusesArchives() throws {
    let folder = try TemporaryDirectory()
    let original = try bytes(of: fixture("views.bin"))
    for count in stride(from: 0, to: original.count, by: 13) {
      let cut = try folder.write(original[..<count], to: "cut.bin")
      expectError(.malformed) { try TorchArchive.read(cut) }
    }
    func changed(_ text: String, _ change: (inout [UInt8], Int) -> Void) throws -> String {
      let wanted = Array(text.utf8)
      let positions = original.indices.filter { original[$0...].starts(with: wanted) }
      var bytes = original
      change(&bytes, try #require(positions.last))
      return try folder.write(bytes, to: "changed.bin")
    }
    let entry = "PK\u{1}\u{2}"
    expectError(.unsupported, "compressed") { try TorchArchive.read(changed(entry) { $0[$1 + 10] = 8 }) }
    expectError(.unsupported, "encrypted") { try TorchArchive.read(changed(entry) { $0[$1 + 8] |= 1 }) }
    expectError(.malformed) { try TorchArchive.read(changed(entry) { $0[$1 + 42] ^= 0x40 }) }
    expectError(.malformed, "checksum") { try TorchArchive.read(changed("OrderedDict") { $0[$1] ^= 1 }) }
    expectError(.unsupported, "little-endian") {
      var zip = try ZipWriter(at: folder.file("big.bin"))
      try zip.add("a/data.pkl", [0x80, 2] + Array("}.".utf8))
      try zip.add("a/byteorder", Array("big".utf8))
      try zip.finish()
      return try TorchArchive.read(folder.file("big.bin"))
    }
    expectError(.malformed, "none that torch.save wrote") {
      var zip = try ZipWriter(at: folder.file("other.bin"))
      try zip.add("a/readme", [1])
      try zip.finish()
      return try TorchArchive.read(folder.file("other.bin"))
    }
    expectError(.unsupported, "bare pickle") { try TorchArchive.read(folder.write([0x80, 2, 0x2E], to: "old.bin")) }
    expectError(.missing) { try TorchArchive.read(folder.file("none.bin")) }
  }
}
