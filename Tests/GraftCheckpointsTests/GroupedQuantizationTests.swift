import GraftCheckpoints
import GraftJSON
import GraftTensors
import GraftTestSupport
import Testing

/// Checkpoints as GPTQ's and AWQ's programs pack them; the fixture is theirs, made by Scripts/make-block-goldens.py.
@Suite struct GroupedQuantizationTests {
  private static let folder = Fixtures("GraftCheckpointsTests").path("grouped")
  private static let layers = ["plain", "ordered", "eight", "interleaved"]

  @Test(arguments: layers)
  func matricesAreReadAsTheirProgramsReadThem(layer: String) throws {
    let checkpoint = try Checkpoint(directory: Self.folder)
    let weight = try checkpoint.weight("\(layer).weight")
    guard case .blocks(let blocks) = weight else { return #expect(Bool(false), "\(layer) is not in blocks") }
    #expect(blocks.shape == [32, 64] && blocks.format == (layer == "eight" ? .groupedInt8 : .groupedInt4))
    #expect(weight.dense().values == (try checkpoint.tensor("\(layer).expected").values))
    #expect(checkpoint.description(of: "\(layer).weight")?.shape == [32, 64])
  }

  @Test func partsStandUnderTheNameOfTheirMatrix() throws {
    let checkpoint = try Checkpoint(directory: Self.folder)
    #expect(checkpoint.isQuantized && checkpoint.tensorNames.sorted() == Self.layers.flatMap { ["\($0).expected", "\($0).weight"] }.sorted())
    #expect(checkpoint.withBytes(of: "plain.weight") { $0.count } == 64 * 32 / 2)
  }

  /// The fixture with some tensors replaced or left out, and settings.
  private func checkpoint(
    replacing replaced: [String: Tensor?] = [:], _ settings: JSON? = nil, in folder: TemporaryDirectory
  ) throws -> Checkpoint {
    let file = try SafetensorsFile("\(Self.folder)/model.safetensors")
    var tensors = try file.tensorNames.filter { replaced[$0] == nil }.map { (name: $0, tensor: try file.tensor($0)) }
    for (name, tensor) in replaced { if let tensor { tensors.append((name, tensor)) } }
    try SafetensorsWriter.write(tensors, to: "\(folder.path)/model.safetensors")
    let configuration: JSON = ["quantization_config": settings ?? .null]
    try folder.write(configuration.serializedBytes(), to: "config.json")
    return try Checkpoint(directory: folder.path)
  }

  /// The second form of GPTQ's files has zero points as they are: every number is a scale more.
  @Test func zeroPointsOfTheSecondFormAreWhole() throws {
    let folder = try TemporaryDirectory()
    let checkpoint = try checkpoint(replacing: [:], ["quant_method": "gptq", "checkpoint_format": "gptq_v2"], in: folder)
    let (first, second) = (try checkpoint.tensor("plain.expected").values, try checkpoint.weight("plain.weight").dense().values)
    let scales = try checkpoint.tensor("plain.scales").converted(to: .float32).values
    for place in first.indices { #expect(abs(second[place] - first[place] - scales[place % 64 / 32 * 32 + place / 64]) < 1e-5) }
    // AWQ's are whole in any.
    #expect(try checkpoint.weight("interleaved.weight").dense().values == checkpoint.tensor("interleaved.expected").values)
  }

  @Test func whatDoesNotFitIsRefused() throws {
    func complaint(_ replaced: [String: Tensor?], _ settings: JSON? = nil) throws -> String {
      let folder = try TemporaryDirectory()
      let error = #expect(throws: CheckpointError.self) { try checkpoint(replacing: replaced, settings, in: folder).weight("plain.weight") }
      return error?.description ?? ""
    }
    #expect(try complaint(["plain.scales": nil]).contains("'plain.qweight' lacks its matrix 'plain.scales'"))
    #expect(try complaint(["plain.qzeros": Tensor([1, 2, 3] as [Int32]).reshaped(to: [1, 3])]).contains("do not fit each other"))
    #expect(try complaint(["plain.scales": Tensor(repeating: .nan, shape: [2, 32])]).contains("scales of 'plain' are not finite"))
    let groups = (0..<64).map { Int32($0 / 16) }
    #expect(try complaint(["plain.g_idx": Tensor(groups)]).contains("names another group than the 2"))
    #expect(try complaint(["mlp.act.scales": Tensor(repeating: 1, shape: [4])]).contains("'mlp.act.scales' scales an activation"))
    #expect(try complaint([:], ["quant_method": "awq", "version": "GEMV"]).contains("in the form 'gemv'"))
  }
}
