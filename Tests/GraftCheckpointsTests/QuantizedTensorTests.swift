import GraftCheckpoints
import GraftJSON
import GraftTensors
import GraftTestSupport
import Testing

/// Published quantized tensors against their numbers in PyTorch and Transformers; see Scripts/make-quantized-goldens.py.
@Suite("Quantized tensors of checkpoints")
struct QuantizedTensorTests {
  /// A file of tensors of any element type.
  private static func file(_ tensors: [(name: String, type: String, shape: [Int], bytes: [UInt8])]) -> [UInt8] {
    var at = 0
    var header: JSON = [:]
    for tensor in tensors {
      header[tensor.name] = [
        "dtype": .string(tensor.type), "shape": .array(tensor.shape.map(JSON.integer)),
        "data_offsets": .array([.integer(at), .integer(at + tensor.bytes.count)]),
      ]
      at += tensor.bytes.count
    }
    let text = Array(header.serialized().utf8)
    let padding = [UInt8](repeating: 32, count: (8 - text.count % 8) % 8)
    let length = (0..<8).map { UInt8(truncatingIfNeeded: (text.count + padding.count) >> (8 * $0)) }
    return length + text + padding + tensors.flatMap(\.bytes)
  }

  private static func checkpoint(in folder: TemporaryDirectory) throws -> Checkpoint {
    func floats(_ values: [Float]) -> [UInt8] { values.flatMap { withUnsafeBytes(of: $0.bitPattern.littleEndian, Array.init) } }
    func numbers(_ bytes: [UInt8]) -> [UInt8] { bytes.map { $0 & 127 == 127 ? 0 : $0 } }
    let data = file([
      ("all.weight", "F8_E4M3", [1, 256], numbers((0..<256).map { UInt8($0) })), ("all.weight_scale_inv", "F32", [1, 2], floats([1, 1])),
      ("experts.down_proj_blocks", "U8", [2, 3, 2, 16], (0..<192).map { UInt8($0 * 37 % 256) }),
      ("experts.down_proj_scales", "U8", [2, 3, 2], (0..<12).map { UInt8($0 * 5 % 20 + 120) }),
      ("norm.weight", "F32", [2], floats([1, 2])),
      ("q_proj.weight", "F8_E4M3", [130, 140], numbers((0..<130 * 140).map { UInt8($0 * 73 % 251) })),
      ("q_proj.weight_scale_inv", "F32", [2, 2], floats([0.5, 2, 0.25, 3])),
    ])
    _ = try folder.write(data, to: "model.safetensors")
    return try Checkpoint(directory: folder.path)
  }

  @Test(arguments: ["experts.down_proj", "q_proj.weight", "all.weight"])
  func numbersAreTorchs(name: String) throws {
    let golden = try #require(try Fixtures("GraftCheckpointsTests").json("quantized.json")[name])
    let folder = try TemporaryDirectory()
    let tensor = try Self.checkpoint(in: folder).tensor(name)
    #expect(tensor.shape.dimensions == golden["shape"]?.array?.compactMap(\.int))
    let values = tensor.values.map(Double.init)
    #expect(Array(values.prefix(16)) == golden["first"]?.array?.compactMap(\.double))
    let sum = values.enumerated().reduce(0) { $0 + $1.element * Double($1.offset * 37 % 101 - 50) / 50 }
    let expected = try #require(golden["sum"]?.double)
    #expect(abs(sum - expected) < 1e-6 * abs(expected))
  }

  @Test func theyStandUnderTheNamesOfTheirNumbers() throws {
    let folder = try TemporaryDirectory()
    let checkpoint = try Self.checkpoint(in: folder)
    #expect(checkpoint.isQuantized)
    #expect(Set(checkpoint.tensorNames) == ["all.weight", "experts.down_proj", "norm.weight", "q_proj.weight"])
    #expect(checkpoint.description(of: "experts.down_proj")?.elementType == .bfloat16)
    #expect(checkpoint.description(of: "q_proj.weight")?.elementType == .float32)
    #expect(checkpoint.descriptions.allSatisfy { (try? checkpoint.tensor($0.name).shape.dimensions) == $0.shape })
    #expect(try checkpoint.tensor("norm.weight").values == [1, 2])
  }
}
