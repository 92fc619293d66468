import GraftTensors
import Testing

/// A matrix of random blocks of ggml's Q8_0, with its elements computed here.
struct Q8Sample {
  let matrix: GGMLMatrix
  let elements: Tensor

  init(rows: Int, columns: Int, seed: UInt64 = 1) {
    let stream = RandomStream(seed: seed)
    let blocks = rows * columns / 32
    let quants = stream.split("quants").uniform([blocks * 32], in: -127..<127).values.map { Int8($0.rounded()) }
    let scales = stream.split("scales").uniform([blocks], in: 0.001..<0.02).values.map { Float16($0) }
    var bytes: [UInt8] = []
    var elements: [Float] = []
    for block in 0..<blocks {
      let bits = scales[block].bitPattern
      bytes += [UInt8(bits & 0xff), UInt8(bits >> 8)]
      for quant in quants[block * 32..<block * 32 + 32] {
        bytes.append(UInt8(bitPattern: quant))
        elements.append(Float(scales[block]) * Float(quant))
      }
    }
    matrix = GGMLMatrix(Tensor(bytes: bytes), format: .q8_0, shape: [rows, columns])
    self.elements = Tensor(elements, [rows, columns])
  }
}

@Suite struct WeightTests {
  private func weight(_ rows: Int, _ columns: Int) -> (blocks: Weight, dense: Tensor) {
    let sample = Q8Sample(rows: rows, columns: columns)
    return (.blocks(sample.matrix), sample.elements)
  }

  @Test func blocksAreDecoded() {
    let (blocks, dense) = weight(6, 96)
    #expect(blocks.dense().values == dense.values)
    #expect(blocks.rows(2..<5).values == dense.rows(2..<5).values)
    #expect(blocks.format == .q8_0 && blocks.shape == [6, 96] && blocks.byteCount == 6 * 3 * 34)
  }

  @Test func sixteenBitsAreRead() {
    let dense = RandomStream(seed: 1).normal([4, 8]).converted(to: .bfloat16)
    let weight = Weight.dense(dense)
    #expect(weight.dense().values == dense.values && weight.rows(1..<3).values == Array(dense.values[8..<24]))
    #expect(weight.format == .bfloat16 && weight.byteCount == 64)
  }

  /// Products of blocks equal those of the decoded matrix: both layouts, one row and several, and more than one slab of columns.
  @Test(arguments: [1, 5, 40], [(288, 64), (64, 288), (4200, 256), (256, 4224)])
  func productsEqualTheDecodedOnes(rows: Int, size: (Int, Int)) {
    let (blocks, dense) = weight(size.0, size.1)
    for layout in [WeightLayout.outputByInput, .inputByOutput] {
      let x = Parameter(
        path: "x", value: RandomStream(seed: 2).normal([rows, layout == .outputByInput ? size.1 : size.0]), isTrainable: true)
      func run(_ weight: Weight) -> [Tensor] {
        let tape = Tape()
        let y = tape.record { linear(x.operand, weight, layout: layout, scale: 0.5) }
        let gradients = tape.gradients(of: y, seed: RandomStream(seed: 3).normal(y.shape))
        return [y, gradients[x] ?? y]
      }
      for (found, expected) in zip(run(blocks), run(.dense(dense))) {
        let scale = Float(expected.sumOfSquares / Double(expected.elementCount)).squareRoot()
        #expect(found.shape == expected.shape)
        #expect(zip(found.values, expected.values).allSatisfy { abs($0 - $1) <= 1e-5 * scale })
      }
    }
  }

  @Test func productsAddToABaseAndABias() {
    let (blocks, dense) = weight(32, 64)
    let (x, base, bias) = (RandomStream(seed: 2).normal([3, 64]), RandomStream(seed: 3).normal([3, 32]), RandomStream(seed: 4).normal([32]))
    #expect(linear(x, blocks, bias: bias, addingTo: base).values == linear(x, dense, bias: bias, addingTo: base).values)
  }

  @Test func rowsAreLookedUp() {
    let (blocks, dense) = weight(9, 64)
    let indices = Tensor([8, 0, 3, 3] as [Int32])
    #expect(gatherRows(blocks, indices).values == gatherRows(dense, indices).values)
  }

  @Test func aHeadOfBlocksHasItsLoss() {
    let (blocks, dense) = weight(40, 32)
    let hidden = Parameter(path: "h", value: RandomStream(seed: 2).normal([6, 32]), isTrainable: true)
    let targets: [Int32] = [0, 39, 3, 3, 5, 1]
    func run(_ head: Weight) -> [Float] {
      let tape = Tape()
      let loss = tape.record { linearCrossEntropy(hidden.operand, LogitProjection(head), targets: Tensor(targets)) }
      return [loss.scalar] + (tape.gradients(of: loss)[hidden]?.values ?? [])
    }
    let (found, expected) = (run(blocks), run(.dense(dense)))
    #expect(found.count == expected.count && zip(found, expected).allSatisfy { abs($0 - $1) < 1e-4 })
    #expect(
      targetPredictions(hidden.value, LogitProjection(blocks), targets: targets).map(\.isFirstChoice)
        == targetPredictions(hidden.value, LogitProjection(dense), targets: targets).map(\.isFirstChoice))
  }

  @Test func blocksTakeNoSum() throws {
    let (blocks, dense) = weight(2, 32)
    let parameter = Parameter(path: "w", stored: blocks)
    #expect(throws: WeightFormatError.self) { try parameter.replaceElements(with: dense) }
    #expect(parameter.format == .q8_0)
    let half = Parameter(path: "w", value: dense.converted(to: .bfloat16))
    try half.replaceElements(with: 2 * dense)
    #expect(half.value.values == (2 * dense).converted(to: .bfloat16).values && half.format == .bfloat16)
  }

  /// A frozen table that a head shares: rows are exact, products read 16 bits, and what is assigned shows in both.
  @Test func productsMayReadATableInASmallerFormat() {
    let (first, second) = (RandomStream(seed: 1).normal([3, 4]), RandomStream(seed: 2).normal([3, 4]))
    let table = Parameter(path: "w", stored: .dense(first), productFormat: .bfloat16)
    for value in [first, second] {
      table.assign(value)
      #expect(table.table.dense().values == value.values && table.format == .float32)
      #expect(table.matrix.format == .bfloat16 && table.matrix.dense().values == value.converted(to: .bfloat16).values)
    }
    table.isTrainable = true
    #expect(table.matrix.dense().values == second.values)
  }

  /// A trained weight is dense float32, whatever it was.
  @Test func trainingMakesBlocksDense() {
    let (blocks, dense) = weight(2, 32)
    let parameter = Parameter(path: "w", stored: blocks)
    parameter.isTrainable = true
    #expect(parameter.value.values == dense.values && parameter.format == .float32)
    parameter.assign(blocks)
    #expect(parameter.value.values == dense.values && parameter.format == .float32)
  }

  @Test func formatsCountBytesInBlocks() {
    #expect(ElementFormat.q4_K.bytes(for: 512) == 288 && ElementFormat.bfloat16.bytes(for: 3) == 6)
    #expect(ElementFormat.q8_0.byteCount(of: [2, 64]) == 136)
    #expect(ElementFormat.q8_0.byteCount(of: [64, 2]) == nil)
    #expect(ElementFormat.float32.byteCount(of: [.max, 2]) == nil && ElementFormat.float32.byteCount(of: []) == 4)
    #expect(Set(ElementFormat.allCases.map(\.ggmlName)).count == ElementFormat.allCases.count)
    #expect(ElementFormat.iq2_XXS.description == "IQ2_XXS" && ElementFormat.mxfp4.description == "MXFP4")
    #expect(ElementFormat(named: "bfloat16") == .bfloat16 && ElementFormat(named: "Q8_0") == nil)
  }
}

extension Tensor {
  /// A uint8 vector.
  fileprivate init(bytes: [UInt8]) {
    self.init(uninitialized: [bytes.count], dtype: .uint8)
    rawPointer.copyMemory(from: bytes, byteCount: bytes.count)
  }
}
