import GraftCheckpoints
import GraftJSON
import GraftTensors
import GraftTestSupport
import Testing

/// Checkpoints in bitsandbytes' layout; the fixture is what its layers save, made by Scripts/make-bitsandbytes-goldens.py.
@Suite struct BitsAndBytesTests {
  private static let folder = Fixtures("GraftCheckpointsTests").path("bitsandbytes")

  @Test(arguments: ["nf4.single", "nf4.double", "fp4.single", "fp4.double", "int8"])
  func matricesAreReadAsBitsandbytesReadsThem(name: String) throws {
    let checkpoint = try Checkpoint(directory: Self.folder)
    let weight = try checkpoint.weight("\(name).weight")
    guard case .blocks(let blocks) = weight else { return #expect(Bool(false), "\(name) is not in blocks") }
    #expect(blocks.shape == [7, 100])
    let expected = try checkpoint.tensor("\(name).expected").values
    #expect(weight.dense().values == expected)
    #expect(try checkpoint.tensor("\(name).weight").values == expected)
  }

  @Test func partsStandUnderTheNameOfTheirMatrix() throws {
    let checkpoint = try Checkpoint(directory: Self.folder)
    let names = ["fp4.double", "fp4.single", "int8", "nf4.double", "nf4.single"].flatMap { ["\($0).expected", "\($0).weight"] }
    #expect(checkpoint.tensorNames.sorted() == names.sorted() && checkpoint.isQuantized)
    #expect(checkpoint.description(of: "nf4.double.weight") == TensorDescription(name: "nf4.double.weight", elementType: .float32, shape: [7, 100]))
  }

  /// A file in which one tensor of the fixture is another, or none.
  private func checkpoint(replacing name: String, by tensor: Tensor?, in folder: TemporaryDirectory) throws -> Checkpoint {
    let file = try SafetensorsFile("\(Self.folder)/model.safetensors")
    var tensors = try file.tensorNames.map { ($0, try file.tensor($0)) }.filter { $0.0 != name }
    if let tensor { tensors.append((name, tensor)) }
    try SafetensorsWriter.write(tensors.map { (name: $0.0, tensor: $0.1) }, to: "\(folder.path)/model.safetensors")
    return try Checkpoint(directory: folder.path)
  }

  private static let state = "nf4.double.weight.quant_state.bitsandbytes__nf4"

  /// Descriptions that contradict their tensors, or themselves.
  @Test(arguments: [
    ("", "is no JSON object"), ("[1]", "is no JSON object"), ("{\"quant_type\": \"nf4\"", "is no JSON object"),
    (#"{"quant_type": "nf5"}"#, "quant_type"), (#"{"quant_type": "nf4", "shape": [7]}"#, "shape"),
    (#"{"quant_type": "nf4", "shape": [-7, -100]}"#, "shape"), (#"{"quant_type": "nf4", "shape": [7, "100"]}"#, "shape"),
    (#"{"quant_type": "nf4", "shape": [4611686018427387904, 4]}"#, "shape"), (#"{"quant_type": "nf4", "shape": [7, 100]}"#, "blocksize"),
    (#"{"quant_type": "nf4", "shape": [7, 100], "blocksize": 0}"#, "blocksize"),
    (#"{"quant_type": "nf4", "shape": [7, 100], "blocksize": 48}"#, "blocksize"),
    (#"{"quant_type": "nf4", "shape": [7, 100], "blocksize": 64, "dtype": "int8"}"#, "dtype"),
    (#"{"quant_type": "nf4", "shape": [7, 100], "blocksize": 64, "dtype": "float32", "nested_offset": 1}"#, "nested_blocksize"),
    (
      #"{"quant_type": "nf4", "shape": [7, 100], "blocksize": 64, "dtype": "float32", "nested_offset": 1, "nested_blocksize": 0, "nested_dtype": "float32"}"#,
      "nested_blocksize"
    ),
    (
      #"{"quant_type": "nf4", "shape": [7, 100], "blocksize": 64, "dtype": "float32", "nested_offset": 1e300, "nested_blocksize": 256, "nested_dtype": "float32"}"#,
      "nested_blocksize"
    ),
    (
      #"{"quant_type": "nf4", "shape": [7, 100], "blocksize": 32, "dtype": "float32", "nested_offset": 1, "nested_blocksize": 256, "nested_dtype": "float32"}"#,
      "takes 22"
    ),
    (
      #"{"quant_type": "nf4", "shape": [8, 100], "blocksize": 64, "dtype": "float32", "nested_offset": 1, "nested_blocksize": 256, "nested_dtype": "float32"}"#,
      "takes 400"
    ),
    (#"{"quant_type": "nf4", "shape": [7, 100], "blocksize": 64, "dtype": "float32"}"#, "takes 44"),
  ])
  func aDescriptionThatMakesNoSenseIsRefused(text: String, problem: String) throws {
    let folder = try TemporaryDirectory()
    let error = #expect(throws: CheckpointError.self) {
      try checkpoint(replacing: Self.state, by: Tensor(bytes: Array(text.utf8)), in: folder)
    }
    #expect(error?.kind == .malformed && error?.description.contains(problem) == true, "\(error?.description ?? "")")
  }

  @Test(arguments: ["nf4.double.weight", "nf4.double.weight.absmax", "nf4.double.weight.nested_absmax", "nf4.double.weight.quant_map"])
  func aMissingPartIsNamed(name: String) throws {
    let folder = try TemporaryDirectory()
    let error = #expect(throws: CheckpointError.self) { try checkpoint(replacing: name, by: nil, in: folder) }
    #expect(error?.description.contains("'\(name)'") == true)
  }

  @Test func numbersThatAreNoneAreRefused() throws {
    for (name, tensor, matrix) in [
      ("nf4.double.weight.nested_absmax", Tensor([Float.nan]), "nf4.double.weight"),
      ("nf4.single.weight.absmax", Tensor(Array(repeating: Float.infinity, count: 11)), "nf4.single.weight"),
      ("nf4.single.weight.quant_map", Tensor((0..<16).map { Float($0) }), "nf4.single.weight"),
      ("int8.SCB", Tensor(Array(repeating: Float.nan, count: 7)), "int8.weight"),
    ] {
      let folder = try TemporaryDirectory()
      let checkpoint = try checkpoint(replacing: name, by: tensor, in: folder)
      #expect(throws: CheckpointError.self, "\(name)") { try checkpoint.weight(matrix) }
    }
    let folder = try TemporaryDirectory()
    #expect(throws: CheckpointError.self) { try checkpoint(replacing: "int8.SCB", by: Tensor([Float(1)]), in: folder) }
  }

  /// A written checkpoint is read again as the same blocks, and the rest as it was.
  @Test(arguments: [WeightQuantization.nf4, .fp4, .int8, .fp8E4M3])
  func aQuantizedCheckpointIsReadAgain(quantization: WeightQuantization) throws {
    let (source, target) = (try TemporaryDirectory(), try TemporaryDirectory())
    let (wide, tall) = (RandomStream(seed: 1).normal([6, 70]), RandomStream(seed: 2).normal([70, 6]))
    let norm = Tensor([1, 2, 3] as [Float])
    try SafetensorsWriter.write(
      [("wide.weight", wide.converted(to: .bfloat16)), ("tall.weight", tall), ("norm.weight", norm)], to: "\(source.path)/model.safetensors")
    _ = try source.write(Array(#"{"model_type": "llama"}"#.utf8), to: "config.json")
    var quantized = QuantizedCheckpoint(try Checkpoint(directory: source.path), as: quantization)
    try quantized.quantize("wide.weight", .outputByInput)
    try quantized.quantize("tall.weight", .inputByOutput)
    #expect(quantized.relativeError > 0.001 && quantized.relativeError < 0.15)
    let output = "\(target.path)/model"
    try quantized.write(skipping: ["lm_head"], with: ModelDirectoryWriter(directory: output))

    let checkpoint = try Checkpoint(directory: output)
    #expect(checkpoint.tensorNames.sorted() == ["norm.weight", "tall.weight", "wide.weight"])
    #expect(try checkpoint.weight("wide.weight").dense().values == Weight.blocks(quantization.encode(wide.converted(to: .bfloat16))).dense().values)
    #expect(try checkpoint.weight("tall.weight").dense().values == Weight.blocks(quantization.encode(tall.transposed)).dense().values)
    #expect(try checkpoint.tensor("norm.weight").values == norm.values)
    let settings = try checkpoint.configuration()["quantization_config"]
    guard quantization != .fp8E4M3 else {
      #expect(settings?["quant_method"]?.string == "fp8" && settings?["modules_to_not_convert"]?[0]?.string == "lm_head")
      #expect(settings?["weight_block_size"]?.array?.compactMap(\.int) == [128, 128])
      #expect(try SafetensorsFile("\(output)/model.safetensors").description(of: "wide.weight")?.elementType == .float8E4M3)
      return
    }
    #expect(settings?["quant_method"]?.string == "bitsandbytes" && settings?["llm_int8_skip_modules"]?[0]?.string == "lm_head")
    #expect(settings?["load_in_8bit"]?.bool == (quantization == .int8))
  }
}
