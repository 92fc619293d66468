import Foundation
import GraftCheckpoints
import GraftJSON
import GraftTensors
import GraftTestSupport
import Testing

@Suite("Models in PyTorch's files")
struct TorchWeightFileTests {
  private static var tensors: [(name: String, tensor: Tensor)] {
    [
      ("a.weight", Tensor((0..<12).map(Float.init), [3, 4])), ("b.weight", tensor(bytes: [0, 0x3C, 0, 0xC0], [2], .float16)),
      ("c.ids", tensor(bytes: (0..<16).map { $0 }, [2], .int64)), ("d.weight", Tensor((0..<6).map { Float($0) / 3 }, [6])),
    ]
  }

  private static func write(to path: String, shardBytes: Int? = nil) throws {
    let writer = ModelDirectoryWriter(directory: path, form: .pytorch, maximumShardBytes: shardBytes)
    try writer.write(tensors.map { TensorDescription(name: $0.name, of: $0.tensor) }, configuration: ["model_type": "llama"]) { description in
      try #require(tensors.first { $0.name == description.name }).tensor
    }
  }

  @Test("are read as they were written, whole and in shards", arguments: [nil, 40])
  func roundTrip(shardBytes: Int?) throws {
    let folder = try TemporaryDirectory()
    let path = folder.file("model")
    try Self.write(to: path, shardBytes: shardBytes)
    let names = try FileManager.default.contentsOfDirectory(atPath: path).sorted()
    let shards = (1...3).map { "pytorch_model-0000\($0)-of-00003.bin" }
    #expect(names == ["config.json"] + (shardBytes == nil ? ["pytorch_model.bin"] : shards + ["pytorch_model.bin.index.json"]))
    let checkpoint = try Checkpoint(directory: path)
    #expect(checkpoint.files.count == (shardBytes == nil ? 1 : 3) && Set(checkpoint.tensorNames) == Set(Self.tensors.map(\.name)))
    for (name, tensor) in Self.tensors {
      #expect(checkpoint.description(of: name) == TensorDescription(name: name, of: tensor))
      #expect(bits(try checkpoint.tensor(name)) == bits(tensor), "\(name)")
      #expect(checkpoint.withBytes(of: name) { [UInt8]($0) } == bits(tensor), "\(name)")
    }
    expectError(.malformed, "no tensor") { try checkpoint.tensor("e.weight") }
  }

  @Test("are refused where the index names what is not there, or leads away")
  func damagedIndex() throws {
    let folder = try TemporaryDirectory()
    let path = folder.file("model")
    try Self.write(to: path, shardBytes: 40)
    try FileManager.default.removeItem(atPath: "\(path)/pytorch_model-00002-of-00003.bin")
    expectError(.missing, "pytorch_model.bin.index.json names it") { _ = try Checkpoint(directory: path) }
    try Data(#"{"weight_map": {"a.weight": "../pytorch_model.bin"}}"#.utf8).write(to: URL(fileURLWithPath: "\(path)/pytorch_model.bin.index.json"))
    expectError(.malformed, "no bare .bin file name") { _ = try Checkpoint(directory: path) }
  }

  @Test("tell that two names are of the same elements")
  func sharedElements() throws {
    let folder = try TemporaryDirectory()
    // Two views of one storage: a pickle by hand, which ends with the second name.
    let tensor =
      "ctorch._utils\n_rebuild_tensor_v2\n((X\u{7}\0\0\0storagectorch\nFloatStorage\nX\u{1}\0\0\00X\u{3}\0\0\0cpuK\u{2}tQK\0K\u{2}\u{85}K\u{1}\u{85}"
      + "\u{89}ccollections\nOrderedDict\n)RtR"
    let instructions = "}(X\u{1}\0\0\0a" + tensor + "X\u{1}\0\0\0b" + tensor + "u."
    try FileManager.default.createDirectory(atPath: folder.file("model"), withIntermediateDirectories: true)
    var zip = try ZipWriter(at: folder.file("model/pytorch_model.bin"))
    try zip.add("archive/data.pkl", [0x80, 2] + instructions.unicodeScalars.map { UInt8($0.value) })
    try zip.add("archive/data/0", [UInt8](repeating: 0, count: 8))
    try zip.finish()
    let checkpoint = try Checkpoint(directory: folder.file("model"))
    #expect(checkpoint.holdsOnce("a", "b") && !checkpoint.holdsOnce("a", "c"))
  }
}
