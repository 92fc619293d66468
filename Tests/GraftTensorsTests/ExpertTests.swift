import GraftJSON
import GraftTensors
import GraftTestSupport
import Synchronization
import Testing

@Suite("Products of many experts, and their choice")
struct ExpertTests {
  /// Forty tokens to two of nine experts, some of which get one row or none.
  private let routing = ExpertRouting((0..<40).flatMap { [Int32($0 % 5), Int32($0 == 7 ? 8 : 6)] }, choices: 2, of: 9)

  /// One product after another gives the same, in every format, layout and size.
  @Test(arguments: [ElementFormat.float32, .bfloat16], [WeightLayout.outputByInput, .inputByOutput])
  func allTogetherIsOneByOne(format: ElementFormat, layout: WeightLayout) {
    let (inputs, outputs) = (70, 150)
    let stream = RandomStream(seed: 3)
    let x = stream.split("x").uniform([80, inputs], in: -1..<1)
    let sizes: Shape = layout == .outputByInput ? [outputs, inputs] : [inputs, outputs]
    let matrices = (0..<9).map { stream.split($0).uniform(sizes, in: -1..<1).converted(to: format) }
    let found = expertLinear(x, .separate(matrices.map { .dense($0) }), routing, layout: layout, scale: 0.5)
    #expect(routing.loads == [8, 8, 8, 8, 8, 0, 39, 0, 1])
    for (expert, matrix) in matrices.enumerated() where !routing.rows(of: expert).isEmpty {
      let rows = routing.rows(of: expert)
      let expected = linear(x.rows(rows), matrix, layout: layout, scale: 0.5)
      #expect(largestDifference(found.rows(rows).values, expected.values) < 2e-5, "\(expert)")
    }
    let fused = concatenateRows(matrices.map { $0.converted(to: .float32) }).reshaped(to: Shape([9] + sizes.dimensions))
    let together = expertLinear(x, .fused(fused), routing, layout: layout, scale: 0.5)
    #expect(largestDifference(found.values, together.values) < 2e-5)
  }

  /// A few rows find the bits that they find at each expert's matrix alone, read where it lies.
  @Test(arguments: [ElementFormat.float32, .bfloat16, .float16], [WeightLayout.outputByInput, .inputByOutput])
  func fewRowsAreThoseOfEachMatrix(format: ElementFormat, layout: WeightLayout) {
    let (inputs, outputs) = (320, 352)
    let stream = RandomStream(seed: 6)
    let few = ExpertRouting([3, 1, 3, 0], choices: 2, of: 5)
    let x = stream.split("x").uniform([4, inputs], in: -1..<1)
    let sizes: Shape = layout == .outputByInput ? [outputs, inputs] : [inputs, outputs]
    let matrices = (0..<5).map { Weight.dense(stream.split($0).uniform(sizes, in: -1..<1).converted(to: format)) }
    for arithmetic in Execution.Arithmetic.allCases where arithmetic == .float32 || arithmetic.operandFormat == format {
      Execution(arithmetic: arithmetic).run {
        let found = expertLinear(x, .separate(matrices), few, layout: layout, scale: 0.5)
        for expert in [0, 1, 3] {
          let rows = few.rows(of: expert)
          #expect(found.rows(rows).values == linear(x.rows(rows), matrices[expert], layout: layout, scale: 0.5).values, "\(expert), \(arithmetic)")
        }
      }
    }
  }

  /// Blocks are decoded once, those of experts with rows alone.
  @Test(arguments: [WeightLayout.outputByInput, .inputByOutput], [1, 12]) func blocksAreDecodedWhereThereAreRows(layout: WeightLayout, tokens: Int) {
    let (inputs, outputs) = (512, 768)
    let sizes: Shape = layout == .outputByInput ? [outputs, inputs] : [inputs, outputs]
    let stream = RandomStream(seed: 7)
    let blocks = (0..<4).map { CountedBlocks(stream.split($0).uniform(sizes, in: -1..<1)) }
    let routing = ExpertRouting((0..<tokens).flatMap { _ in [2, 0] }, choices: 2, of: 4)
    let x = stream.split("x").uniform([2 * tokens, inputs], in: -1..<1)
    let found = expertLinear(x, .separate(blocks.map { .blocks($0) }), routing, layout: layout)
    let expected = expertLinear(x, .separate(blocks.map { .dense($0.elements) }), routing, layout: layout)
    #expect(largestDifference(found.values, expected.values) < 2e-5)
    #expect(blocks.map(\.decodedCount) == [inputs * outputs, 0, inputs * outputs, 0])
  }

  /// Experts without rows get no gradient of their own, and zero in a fused one.
  @Test func expertsWithoutRowsCostNothing() throws {
    let x = RandomStream(seed: 4).uniform([80, 6], in: -1..<1)
    let parameters = (0..<9).map { Parameter(path: "\($0)", value: RandomStream(seed: 5).split($0).uniform([3, 6], in: -1..<1), isTrainable: true) }
    let tape = Tape()
    let loss = tape.record { sum(expertLinear(x, .separate(parameters.map(\.matrix)), routing)) }
    let gradients = tape.gradients(of: loss)
    #expect(parameters.map { gradients[$0] == nil } == [false, false, false, false, false, true, false, true, false])
    let fused = Parameter(path: "fused", value: .zeros([9, 3, 6]), isTrainable: true)
    let other = Tape()
    let sums = other.record { sum(expertLinear(x, .fused(fused.operand), routing)) }
    let all = try #require(other.gradients(of: sums)[fused])
    for (expert, parameter) in parameters.enumerated() {
      let own = gradients[parameter] ?? .zeros([3, 6])
      #expect(largestDifference(all.rows(expert..<expert + 1).values, own.values) < 1e-5)
    }
  }

  /// Ties are broken as PyTorch breaks them on a CPU: which of equal elements are chosen, not in which order.
  @Test func tiesAreBrokenAsTorchDoes() throws {
    let cases = try #require(try Fixtures("GraftTensorsTests").json("selection.json").array)
    #expect(cases.count > 100)
    for entry in cases {
      let values = try #require(entry["values"]?.array).compactMap { $0.double.map { Float($0) } }
      let chosen = try #require(entry["chosen"]?.array).compactMap { $0.int.map { Int32($0) } }
      let found = largestColumns(Tensor(values, [1, values.count]), chosen.count)
      #expect(found.sorted() == chosen, "\(values)")
      #expect(zip(found, found.dropFirst()).allSatisfy { values[Int($0)] >= values[Int($1)] })
    }
  }

  /// Of the groups the best are kept, and what is outside of them is masked.
  @Test func groupsAreLimited() {
    let scores = Tensor([0.1, 0.9, 0.5, 0.75, 0.8, 0.2, 0.3, 0.35], [1, 8])
    let byLargest = ExpertGroups(count: 4, chosen: 2, scoresPerGroup: 1, maskedScore: 0)
    #expect(byLargest.masked(scores).values == [0.1, 0.9, 0, 0, 0.8, 0.2, 0, 0])
    // Of the sums 1, 1.25, 1 and 0.65 one is largest.
    let bySum = ExpertGroups(count: 4, chosen: 1, scoresPerGroup: 2, maskedScore: -1)
    #expect(bySum.masked(scores).values == [-1, -1, 0.5, 0.75, -1, -1, -1, -1])
  }
}

/// Blocks of 256 elements that count how many of them are decoded.
private final class CountedBlocks: BlockMatrix {
  let elements: Tensor
  private let count = Mutex(0)

  init(_ elements: Tensor) { self.elements = elements }

  var shape: Shape { elements.shape }
  var format: ElementFormat { .q8_K }
  var isMapped: Bool { false }
  var decodedCount: Int { count.withLock { $0 } }

  func decode(row: Int, columns: Range<Int>, into out: inout MutableSpan<Float>) {
    precondition(columns.lowerBound % 256 == 0 && columns.count % 256 == 0, "columns \(columns) in blocks of 256")
    count.withLock { $0 += columns.count }
    let values = elements.rows(row..<row + 1).values
    for index in 0..<columns.count { out[index] = values[columns.lowerBound + index] }
  }
}
