import Foundation
import GraftJSON
import GraftTensors
import GraftTestSupport
import Testing

/// Blocks of ggml's formats against gguf-py, and codes of 8 bits against bitsandbytes and PyTorch; made by `Scripts/make-block-goldens.py`.
@Suite struct BlockFormatTests {
  private let goldens: JSON

  init() throws { goldens = try Fixtures("GraftTensorsTests").json("blocks.json") }

  /// The elements that the script makes of places.
  private static func elements(_ rows: Int, _ columns: Int) -> Tensor {
    let values = (0..<rows * columns).map { place -> Float in
      if (64..<128).contains(place) { return 0 }
      return Float(place * 7919 % 20011 - 10005) / 8192 * Float(1 + place / columns % 5) / 4
    }
    return Tensor(values, [rows, columns])
  }

  private func bytes(_ json: JSON?) throws -> [UInt8] {
    let text = try #require(json?.string)
    return [UInt8](try #require(Data(base64Encoded: text)))
  }

  private func floats(_ json: JSON?) throws -> [Float] {
    try bytes(json).withUnsafeBytes { raw in (0..<raw.count / 4).map { raw.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) } }
  }

  private static func vector(_ bytes: [UInt8]) -> Tensor {
    let tensor = Tensor(uninitialized: [bytes.count], dtype: .uint8)
    tensor.rawPointer.copyMemory(from: bytes, byteCount: bytes.count)
    return tensor
  }

  /// Two rows of random blocks of every format have gguf-py's elements, and so has every block alone.
  @Test(arguments: GGMLMatrix.formats)
  func elementsAreThoseOfGGUF(format: ElementFormat) throws {
    let golden = goldens["decoded"]?[format.ggmlName]
    let matrix = GGMLMatrix(Self.vector(try bytes(golden?["bytes"])), format: format, shape: [2, 256])
    let expected = try floats(golden?["elements"])
    #expect(expected.count == 512 && matrix.decoded(rows: 0..<2).values == expected)
    for start in stride(from: 0, to: 256, by: format.blockLength) {
      let part = matrix.decoded(rows: 1..<2, columns: start..<start + format.blockLength).values
      #expect(part == Array(expected[256 + start..<256 + start + format.blockLength]))
    }
    #expect(Weight.blocks(matrix).byteCount == format.bytes(for: 512))
  }

  @Test(arguments: [ElementFormat.q4_0, .q5_0, .q8_0, .mxfp4])
  func bytesAreThoseOfGGUF(format: ElementFormat) throws {
    let matrix = try GGMLMatrix(encoding: Self.elements(3, 512), as: format)
    #expect(matrix.bytes.uint8 == (try bytes(goldens["encoded"]?[format.ggmlName])))
  }

  /// Blocks lose about as much of normal numbers as their bits allow, superblocks less than plain blocks; zeros, numbers of one
  /// sign and equal ones are met, too.
  @Test(arguments: [(ElementFormat.q4_K, Float(0.08)), (.q6_K, 0.02), (.q5_0, 0.05), (.q8_0, 0.0065)])
  func errorsAreThoseOfTheBits(format: ElementFormat, limit: Float) throws {
    let normal = RandomStream(seed: 1).normal([16, 512], standardDeviation: 0.02)
    func error(_ matrix: Tensor, _ format: ElementFormat) throws -> Float {
      let difference = (matrix - Weight.blocks(try GGMLMatrix(encoding: matrix, as: format)).dense()).sumOfSquares
      return Float((difference / matrix.sumOfSquares).squareRoot())
    }
    let found = try error(normal, format)
    #expect(found < limit && found > limit / 4)
    if format == .q4_K { #expect(found < 0.9 * (try error(normal, .q4_0))) }
    let positive = Tensor(normal.values.map { abs($0) + 0.01 }, [16, 512])
    #expect(try error(positive, format) < 1.5 * limit)
    for value: Float in [0.25, -0.25] { #expect(try error(Tensor(repeating: value, shape: [1, 256]), format) < 0.01) }
    #expect(Weight.blocks(try GGMLMatrix(encoding: .zeros([2, 256]), as: format)).dense().values.allSatisfy { $0 == 0 })
    // What has no scale in float16 is refused.
    #expect(throws: NonFiniteWeightError.self) { try GGMLMatrix(encoding: Tensor(repeating: 1e30, shape: [1, 256]), as: format) }
    let tiny = Weight.blocks(try GGMLMatrix(encoding: Tensor(repeating: 1e-40, shape: [1, 256]), as: format)).dense()
    #expect(tiny.values.allSatisfy { abs($0) < 1e-5 })
  }

  @Test func blockwiseCodesAreBitsandbytes() throws {
    let source = Self.elements(5, 1000)
    let matrix = try #require(try WeightQuantization.int8Blockwise.encode(source) as? DynamicMatrix)
    let (codes, factors) = (try bytes(goldens["blockwise"]?["codes"]), try floats(goldens["blockwise"]?["factors"]))
    #expect(matrix.codes.uint8 == codes && matrix.factors.values == factors && factors.count == 2)
    let expected = codes.enumerated().map { DynamicCode.numbers[Int($0.element)] * factors[$0.offset / 4096] }
    #expect(Weight.blocks(matrix).dense().values == expected && Weight.blocks(matrix).byteCount == 5008)
  }

  /// A square's codes are those of PyTorch's conversion; beyond whole squares there are parts of some.
  @Test func floatsOfEightBitsAreTorchs() throws {
    let source = Self.elements(130, 140)
    let matrix = try #require(try WeightQuantization.fp8E4M3.encode(source) as? SquareScaledMatrix)
    let codes = try bytes(goldens["float8"]?["codes"])
    let found = (0..<4).flatMap { row in matrix.codes.uint8[row * 140..<row * 140 + 128] }
    #expect(found == codes && matrix.factors.shape == [2, 2])
    #expect(try matrix.factors.values[0] == floats(goldens["float8"]?["factor"])[0])
    let error = (source - Weight.blocks(matrix).dense()).sumOfSquares / source.sumOfSquares
    #expect(error.squareRoot() < 0.035)
    for (code, number) in Float8.numbers.enumerated() where !number.isNaN { #expect(Float8.code(nearestTo: number) == UInt8(code)) }
    #expect(Float8.numbers[Int(Float8.code(nearestTo: 1000))] == 448 && Float8.code(nearestTo: 17) == Float8.code(nearestTo: 16))
  }

  /// Rows that are no whole superblocks get blocks of 32, and those that are not even that stay as they are.
  @Test func formatsFollowTheColumns() {
    #expect(WeightQuantization.q4K.format(columns: 512) == .q4_K && WeightQuantization.q4K.format(columns: 896) == .q5_0)
    #expect(WeightQuantization.q6K.format(columns: 768) == .q6_K && WeightQuantization.q6K.format(columns: 96) == .q8_0)
    for quantization in WeightQuantization.allCases {
      #expect((quantization.format(columns: 70) == nil) == [.q8_0, .q4_0, .q4K, .q6K, .mxfp4].contains(quantization))
      #expect(quantization.format(columns: 256) != nil)
    }
  }

  @Test func rowsStandInAnotherOrder() throws {
    let matrix = try GGMLMatrix(encoding: Self.elements(4, 64), as: .q8_0)
    let dense = Weight.blocks(matrix).dense()
    let reordered = ReorderedRows(matrix, order: [2, 0, 3, 1])
    #expect(Weight.blocks(reordered).dense().values == gatherRows(dense, Tensor([2, 0, 3, 1] as [Int32])).values)
    #expect(Weight.blocks(matrix.rows(in: [2, 0, 3, 1])).dense().values == Weight.blocks(reordered).dense().values)
  }

  /// Codes of groups, in both orders of their words, are `scale (q - zero)`.
  @Test func codesOfGroupsAreRead() {
    let (inputs, outputs) = (8, 8)
    func code(_ input: Int, _ output: Int) -> UInt32 { UInt32((input * 5 + output * 3) % 16) }
    let scales = Tensor((0..<16).map { Float($0 + 1) / 4 }, [2, 8])
    let zeros = Tensor((0..<16).map { Float($0 % 7) }, [2, 8])
    let groups: [Int32] = [1, 0, 0, 1, 1, 0, 1, 0]
    let expected = (0..<inputs * outputs).map { place -> Float in
      let at = Int(groups[place / outputs]) * outputs + place % outputs
      return scales.values[at] * (Float(code(place / outputs, place % outputs)) - zeros.values[at])
    }
    let byInput = (0..<outputs).map { output in (0..<8).reduce(UInt32(0)) { $0 | code($1, output) << UInt32(4 * $1) } }
    let places = [0, 4, 1, 5, 2, 6, 3, 7]
    let byOutput = (0..<inputs).map { input in (0..<8).reduce(UInt32(0)) { $0 | code(input, $1) << UInt32(4 * places[$1]) } }
    for (words, packing) in [(byInput, GroupedMatrix.Packing.inputs(bits: 4)), (byOutput, .interleavedOutputs)] {
      let matrix = GroupedMatrix(
        Tensor(words.map(Int32.init(bitPattern:))), packing: packing, scales: scales, zeros: zeros, groups: groups)
      #expect(Weight.blocks(matrix).dense().values == expected)
      #expect(matrix.decoded(rows: 3..<4, columns: 3..<7).values == Array(expected[27..<31]))
      #expect(Weight.blocks(TransposedBlocks(matrix)).dense().values == Tensor(expected, [8, 8]).transposed.values)
    }
  }

  /// Products of experts' blocks, and the gradients of what goes in, are those of one tensor of their elements.
  @Test func expertsInBlocksAreMultiplied() {
    let (codes, exponents) = (Self.vector((0..<3 * 5 * 16).map { UInt8($0 * 37 % 256) }), Self.vector((0..<3 * 5).map { UInt8(120 + $0) }))
    let matrices = (0..<3).map { expert in
      MicroscaledMatrix(
        codes.reshaped(to: [3, 80]).rows(expert..<expert + 1), exponents: exponents.reshaped(to: [3, 5]).rows(expert..<expert + 1), shape: [5, 32])
    }
    let stack = StackedBlocks(matrices.map { TransposedBlocks($0) })
    #expect(stack.shape == [3, 32, 5] && Weight.blocks(stack).byteCount == 3 * 5 * 17 && Weight.blocks(stack).format == .mxfp4)
    let dense = Weight.blocks(stack).dense()
    // The first group's exponent is -7, its first byte 0 and its second 37: 0x25.
    #expect(dense.values[0] == 0 && dense.values[2 * 5] == 3 * 0x1p-7 && dense.values[3 * 5] == 1 * 0x1p-7)
    let routing = ExpertRouting([2, 0, 0, 2, 2, 2, 0], choices: 1, of: 3)
    func run(_ matrices: ExpertMatrices) -> [Tensor] {
      let x = Parameter(path: "x", value: RandomStream(seed: 2).normal([7, 32]), isTrainable: true)
      let tape = Tape()
      let y = tape.record { expertLinear(x.operand, matrices, routing, layout: .inputByOutput) }
      return [y, tape.gradients(of: y, seed: RandomStream(seed: 3).normal(y.shape))[x] ?? y]
    }
    for (found, expected) in zip(run(.separate(stack.matrices.map { .blocks($0) })), run(.fused(dense))) {
      let scale = Float(expected.sumOfSquares / Double(expected.elementCount)).squareRoot()
      #expect(zip(found.values, expected.values).allSatisfy { abs($0 - $1) <= 1e-5 * scale })
    }
  }
}

extension Tensor {
  fileprivate var uint8: [UInt8] { withUnsafeBytes { [UInt8]($0) } }
}
