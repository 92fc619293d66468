import Foundation
import GraftJSON
import GraftTensors
import GraftTestSupport
import Testing

/// Quantized matrices against bitsandbytes, bit for bit; made by `Scripts/make-bitsandbytes-goldens.py`.
@Suite struct QuantizationTests {
  private let goldens: JSON

  init() throws { goldens = try Fixtures("GraftTensorsTests").json("bitsandbytes.json") }

  /// The elements that the script makes of places.
  private static func elements(_ rows: Int, _ columns: Int) -> Tensor {
    let values = (0..<rows * columns).map { place -> Float in
      if (64..<128).contains(place) { return 0 }
      return Float(place * 7919 % 20011 - 10005) / 8192 * Float(1 + place / columns % 5) / 4
    }
    return Tensor(values, [rows, columns])
  }

  /// Rows with an element half-way between two codes.
  private static func halves(_ rows: Int, _ columns: Int) -> Tensor {
    let values = (0..<rows * columns).map { place -> Float in
      Float(place % columns - columns / 2) / Float(columns / 2) * Float(129 + place / columns) / 512
    }
    return Tensor(values, [rows, columns])
  }

  private func bytes(_ json: JSON?) throws -> [UInt8] {
    let text = try #require(json?.string)
    return [UInt8](try #require(Data(base64Encoded: text)))
  }

  private func floats(_ json: JSON?) throws -> [UInt32] {
    try bytes(json).withUnsafeBytes { raw in (0..<raw.count / 4).map { raw.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self) } }
  }

  private func matrices(_ format: String) throws -> [(golden: JSON, source: Tensor)] {
    try #require(goldens["matrices"]?.array).filter { $0["format"]?.string == format }.map { golden in
      let shape = golden["shape"]?.array?.compactMap { $0.int } ?? []
      return (golden, (golden["elements"]?.string == "halves" ? Self.halves : Self.elements)(shape[0], shape[1]))
    }
  }

  @Test func codeBooksAreBitsandbytes() throws {
    #expect(FourBitCode.normalFloat.numbers.map(\.bitPattern) == (try floats(goldens["nf4"])))
    #expect(FourBitCode.float.numbers.map(\.bitPattern) == (try floats(goldens["fp4"])))
    #expect(DynamicCode.numbers.map(\.bitPattern) == (try floats(goldens["dynamic"])))
  }

  @Test(arguments: [WeightQuantization.nf4, .fp4])
  func codesOfFourBitsAreBitsandbytes(quantization: WeightQuantization) throws {
    for (golden, source) in try matrices(quantization.rawValue) {
      let matrix = try #require(try quantization.encode(source) as? FourBitMatrix)
      let nested = try #require(matrix.factors.nested)
      #expect(nested.offset.bitPattern == (try floats(golden["offset"])[0]), "\(source.shape)")
      #expect(matrix.factors.values.values.map(\.bitPattern) == (try floats(golden["factors"])), "\(source.shape)")
      #expect(nested.codes.bytes == (try bytes(golden["factorCodes"])), "\(source.shape)")
      guard golden["codes"] != nil else { continue }
      #expect(matrix.codes.bytes == (try bytes(golden["codes"])), "\(source.shape)")
      // Of its zeros some have a sign, as the instructions of a processor make them: 0 and -0 are equal.
      let decoded = try floats(golden["decoded"]).map(Float.init(bitPattern:))
      #expect(matrix.decoded(rows: 0..<matrix.shape[0]).values == decoded, "\(source.shape)")
    }
  }

  @Test func codesOfEightBitsAreBitsandbytes() throws {
    for (golden, source) in try matrices("int8") {
      let matrix = try #require(try WeightQuantization.int8.encode(source) as? RowScaledMatrix)
      #expect(matrix.factors.values.map(\.bitPattern) == (try floats(golden["factors"])))
      #expect(matrix.codes.bytes == (try bytes(golden["codes"])))
      #expect(matrix.decoded(rows: 0..<matrix.shape[0]).values.map(\.bitPattern) == (try floats(golden["decoded"])))
    }
  }

  /// So many columns, or 256 where those are no whole blocks.
  private static func columns(_ count: Int, _ quantization: WeightQuantization) -> Int { quantization.format(columns: count) == nil ? 256 : count }

  /// Any part of a row, from odd places too where blocks allow it, has the elements of the whole.
  @Test(arguments: WeightQuantization.allCases)
  func partsOfRowsAreDecoded(quantization: WeightQuantization) throws {
    let columns = quantization.format(columns: 157) == nil ? 512 : 157
    let matrix = try quantization.encode(Self.elements(5, columns))
    let whole = matrix.decoded(rows: 0..<5).values
    for part in columns == 512 ? [0..<512, 0..<256, 256..<512] : [0..<157, 1..<157, 3..<4, 31..<97, 64..<128, 150..<157] {
      for row in 0..<5 {
        let found = matrix.decoded(rows: row..<row + 1, columns: part).values
        #expect(found.map(\.bitPattern) == whole[(row * columns + part.lowerBound)..<(row * columns + part.upperBound)].map(\.bitPattern))
      }
    }
  }

  /// Products of quantized matrices are those of what they decode to, forward and back, in every arithmetic and on any number of threads.
  @Test(arguments: WeightQuantization.allCases, [1, 3, 40])
  func productsAreThoseOfTheDecodedMatrix(quantization: WeightQuantization, rows: Int) throws {
    for (outputs, inputs) in [(96, 160), (300, Self.columns(71, quantization))] {
      let matrix = try quantization.encode(RandomStream(seed: 1).normal([outputs, inputs]))
      let dense = matrix.decoded(rows: 0..<outputs)
      for arithmetic in Execution.Arithmetic.allCases {
        for (blocks, elements, layout) in [
          (Weight.blocks(matrix), dense, WeightLayout.outputByInput), (.blocks(TransposedBlocks(matrix)), dense.transposed, .inputByOutput),
        ] {
          let (found, expected) = (run(blocks, layout, rows, arithmetic), run(.dense(elements), layout, rows, arithmetic))
          for (found, expected) in zip(found, expected) {
            let scale = Float(expected.sumOfSquares / Double(expected.elementCount)).squareRoot()
            #expect(zip(found.values, expected.values).allSatisfy { abs($0 - $1) <= 1e-5 * scale }, "\(arithmetic) \(layout)")
          }
          let count = Threads.count
          defer { Threads.count = count }
          Threads.count = count == 1 ? 3 : 1
          #expect(zip(run(blocks, layout, rows, arithmetic), found).allSatisfy { $0.values == $1.values }, "\(arithmetic) \(layout)")
        }
      }
    }
  }

  private func run(_ weight: Weight, _ layout: WeightLayout, _ rows: Int, _ arithmetic: Execution.Arithmetic) -> [Tensor] {
    let inputs = layout == .outputByInput ? weight.shape[1] : weight.shape[0]
    let x = Parameter(path: "x", value: RandomStream(seed: 2).normal([rows, inputs]), isTrainable: true)
    return Execution(arithmetic: arithmetic).run {
      let tape = Tape()
      let y = tape.record { linear(x.operand, weight, layout: layout, scale: 0.5) }
      return [y, tape.gradients(of: y, seed: RandomStream(seed: 3).normal(y.shape))[x] ?? y]
    }
  }

  @Test func transposedBlocksAreReadAsAWhole() throws {
    let matrix = try WeightQuantization.nf4.encode(Self.elements(6, 70))
    let dense = matrix.decoded(rows: 0..<6).transposed
    #expect(Weight.blocks(TransposedBlocks(matrix)).dense().values == dense.values)
    #expect(Weight.blocks(TransposedBlocks(matrix)).rows(3..<9).values == dense.rows(3..<9).values)
  }

  @Test(arguments: WeightQuantization.allCases)
  func whatIsNotFiniteIsRefused(quantization: WeightQuantization) {
    let columns = Self.columns(70, quantization)
    for value in [Float.nan, .infinity, -.infinity] {
      var values = Self.elements(2, columns).values
      values[97] = value
      #expect(throws: NonFiniteWeightError.self) { try quantization.encode(Tensor(values, [2, columns])) }
    }
  }

  /// A 4-bit base takes little more than half a byte an element.
  @Test func bytesAreCounted() throws {
    let source = RandomStream(seed: 1).normal([64, 1024])
    #expect(Weight.blocks(try WeightQuantization.nf4.encode(source)).byteCount == 32768 + 1024 + 16)
    #expect(Weight.blocks(try WeightQuantization.int8.encode(source)).byteCount == 65536 + 256)
  }
}

extension Tensor {
  fileprivate var bytes: [UInt8] { withUnsafeBytes { [UInt8]($0) } }
}
