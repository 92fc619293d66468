import GraftJSON
import GraftTensors
import GraftTestSupport
import Testing

/// PyTorch's and NumPy's generators, against what they draw; made by `Scripts/make-generator-goldens.py`.
@Suite struct ForeignGeneratorTests {
  private let expected: JSON

  init() throws { expected = try Fixtures("GraftTensorsTests").json("generators.json") }

  private func floats(_ json: JSON?) -> [Float] { (json?.array ?? []).compactMap(\.double).map { Float($0) } }
  private func ints(_ json: JSON?) -> [Int] { (json?.array ?? []).compactMap(\.int) }

  @Test func `permutations are torch's, and end where torch's end`() throws {
    for row in try #require(expected["permutation"]?.array) {
      let parts = try #require(row.array)
      var generator = TorchGenerator(seed: UInt64(try #require(parts[1].int)))
      #expect(generator.permutation(of: try #require(parts[0].int), prefix: 12) == ints(parts[2]))
    }
    let after = try #require(expected["after"]?.array)
    for prefix in [0, 3, 999, 1000] {
      var generator = TorchGenerator(seed: UInt64(try #require(after[1].int)))
      _ = generator.permutation(of: try #require(after[0].int), prefix: prefix)
      #expect(generator.uniform(1) == floats(after[2]))
    }
  }

  @Test func `uniform numbers are torch's to the bit`() throws {
    let rand = try #require(expected["rand"]?.array)
    var first = TorchGenerator(seed: UInt64(try #require(rand[0].int)))
    #expect(first.uniform(4) == floats(rand[1]))
    let uniform = try #require(expected["uniform"]?.array)
    var second = TorchGenerator(seed: 1)
    let bound = Float(try #require(uniform[1].double))
    let values = second.uniform(700, in: -bound..<bound)
    #expect(stride(from: 0, to: 700, by: 100).map { values[$0] } == floats(uniform[2]))
    var third = TorchGenerator(seed: 3)
    #expect(third.kaimingUniform(21, fan: 7) == floats(try #require(expected["kaiming"]?.array)[2]))
  }

  @Test func `normal numbers are torch's up to the rounding of logarithms`() throws {
    for row in try #require(expected["normal"]?.array) {
      let parts = try #require(row.array)
      var generator = TorchGenerator(seed: UInt64(try #require(parts[1].int)))
      let values = generator.normal(try #require(parts[0].int), standardDeviation: Float(try #require(parts[2].double)))
      #expect(largestDifference(values, floats(parts[3])) < 3e-6)
    }
  }

  /// The draws of Uni-LoRA: a choice without repetition, and a shuffle.
  @Test func `choices and shuffles are NumPy's`() throws {
    let rows = try #require(expected["choices"]?.array)
    #expect(rows.count == 4)
    for row in rows {
      let numbers = ints(row)
      let parts = try #require(row.array)
      let (count, size) = (numbers[0], numbers[1])
      var generator = NumPyGenerator(seed: UInt64(numbers[2]))
      var values = (0..<size).flatMap { Array(repeating: $0, count: count / size) }
      if count % size > 0 { values += generator.choice(of: size, count: count % size) }
      generator.shuffle(&values)
      #expect(Array(values.prefix(12)) == ints(parts[3]))
      #expect(values.enumerated().reduce(0) { $0 + $1.offset * $1.element } % 1_000_003 == parts[4].int)
    }
  }

  @Test func `words are NumPy's`() {
    var generator = NumPyGenerator(seed: 42)
    #expect((0..<3).map { _ in generator.next() } == [14_276_969_152_011_380_360, 8_095_878_257_575_067_585, 15_838_336_090_824_644_132])
  }
}
