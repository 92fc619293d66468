import Foundation
import GraftTensors
import Testing

/// 16-bit arithmetic: operands are rounded exactly, sums are those of float32, on every path.
@Suite(.serialized) struct PrecisionTests {
  private static let formats: [ElementFormat] = [.bfloat16, .float16]

  /// All 65,536 values of a format, by their bits.
  private func everyValue(of format: ElementFormat) -> Tensor {
    let bits = (0..<65536).map { UInt16($0) }
    return bits.withUnsafeBytes { source in
      let out = Tensor(uninitialized: [65536], dtype: format)
      if let base = source.baseAddress { out.rawPointer.copyMemory(from: base, byteCount: source.count) }
      return out
    }
  }

  private func bits(_ tensor: Tensor) -> [UInt16] { tensor.withUnsafeBytes { Array($0.bindMemory(to: UInt16.self)) } }

  /// The value of a bit pattern, from the definition of the format.
  private func value(_ bits: UInt16, _ format: ElementFormat) -> Double {
    let (exponentBits, fractionBits) = format == .bfloat16 ? (8, 7) : (5, 10)
    let exponent = Int(bits >> fractionBits) & (1 << exponentBits - 1)
    let fraction = Double(bits & (1 << fractionBits - 1)) / Double(1 << fractionBits)
    let bias = 1 << (exponentBits - 1) - 1
    let sign = bits >> 15 == 0 ? 1.0 : -1.0
    if exponent == 1 << exponentBits - 1 { return fraction == 0 ? sign * .infinity : .nan }
    let scale = Double(sign: .plus, exponent: max(1, exponent) - bias, significand: 1)
    return sign * scale * (exponent == 0 ? fraction : 1 + fraction)
  }

  @Test(arguments: formats) func everyValueWidensExactlyAndNarrowsToItself(format: ElementFormat) {
    let all = everyValue(of: format)
    let wide = all.converted(to: .float32)
    let narrowed = bits(wide.converted(to: format))
    for (pattern, found) in wide.values.enumerated() {
      let expected = value(UInt16(pattern), format)
      if expected.isNaN {
        #expect(found.isNaN && value(narrowed[pattern], format).isNaN)
      } else if Double(found) != expected || found.sign != (pattern >> 15 == 0 ? .plus : .minus) || narrowed[pattern] != UInt16(pattern) {
        Issue.record("\(format) \(pattern): \(found), narrowed \(narrowed[pattern]), not \(expected)")
      }
    }
  }

  /// Between two neighbours: half-way goes to the even one, a hair beside it to the nearer one.
  @Test(arguments: formats) func halfWaysRoundToEven(format: ElementFormat) {
    let largest: UInt16 = format == .bfloat16 ? 0x7F7F : 0x7BFF
    var inputs: [Float] = []
    var expected: [UInt16] = []
    for low in 0...largest {
      // The neighbour of the largest value is where the next one would be.
      let next = low == largest ? 2 * value(low, format) - value(low - 1, format) : value(low + 1, format)
      let middle = Float((value(low, format) + next) / 2)
      guard middle.isFinite, middle > 0 else { continue }
      for (input, result) in [(middle, low & 1 == 0 ? low : low + 1), (middle.nextDown, low), (middle.nextUp, low + 1)] {
        inputs += [input, -input]
        expected += [result, result | 0x8000]
      }
    }
    let found = bits(Tensor(inputs).converted(to: format))
    let wrong = zip(found, expected).enumerated().first { $1.0 != $1.1 }
    #expect(wrong == nil, "\(format): \(wrong.map { "\(inputs[$0.offset]) is \($0.element)" } ?? "")")
  }

  /// Products round as conversions do, whichever of the operands is rounded by a tile, by rows, or is stored so.
  @Test(arguments: [Execution.Arithmetic.bfloat16, .float16], [1, 2, 16, 61])
  func productsMatchDoublePrecisionOverRoundedOperands(arithmetic: Execution.Arithmetic, rows: Int) throws {
    let format: ElementFormat = arithmetic == .bfloat16 ? .bfloat16 : .float16
    for (inputs, outputs) in [(1, 5), (7, 33), (64, 96), (515, 70), (1031, 41)] {
      let x = RandomStream(seed: 1).normal([rows, inputs])
      for layout in [WeightLayout.outputByInput, .inputByOutput] {
        let w = RandomStream(seed: 2).normal(layout == .outputByInput ? [outputs, inputs] : [inputs, outputs])
        let (xs, ws) = (x.converted(to: format).values, w.converted(to: format).values)
        for stored in [w, w.converted(to: format)] {
          let found = Execution(arithmetic: arithmetic).run { linear(x, stored, layout: layout) }.values
          for row in [0, rows / 2, rows - 1] {
            for column in 0..<outputs {
              let terms = (0..<inputs).map { term in
                Double(xs[row * inputs + term]) * Double(layout == .outputByInput ? ws[column * inputs + term] : ws[term * outputs + column])
              }
              let bound = 1e-6 * (1 + terms.reduce(0) { $0 + abs($1) })
              let difference = abs(Double(found[row * outputs + column]) - terms.reduce(0, +))
              if difference > bound { Issue.record("\(arithmetic) \(rows)x\(inputs)x\(outputs) \(layout): off by \(difference)") }
            }
          }
        }
      }
    }
  }

  @Test(arguments: [Execution.Arithmetic.bfloat16, .float16]) func anyNumberOfThreadsComputesTheSameBits(arithmetic: Execution.Arithmetic) {
    let x = Parameter(path: "x", value: RandomStream(seed: 1).normal([70, 96]), isTrainable: true)
    let w = Parameter(path: "w", value: RandomStream(seed: 2).normal([96, 96]), isTrainable: true)
    func results() -> [[Float]] {
      let tape = Tape()
      let y = Execution(arithmetic: arithmetic, savedForm: .converted(.bfloat16)).run {
        tape.record { () -> Tensor in
          let q = linear(x.operand, w.operand)
          return attention(
            query: q, key: x.operand, value: x.operand, AttentionOptions(heads: 4, keyValueHeads: 4, headSize: 24),
            spans: [AttentionSpan(0..<50), AttentionSpan(50..<70)], mask: .causal)
        }
      }
      let gradients = tape.gradients(of: y, seed: RandomStream(seed: 3).normal([70, 96]))
      return [y.values] + [x, w].map { gradients[$0]?.values ?? [] }
    }
    let threads = Threads.count
    defer { Threads.count = threads }
    let found = [1, 2, 3].map { count in
      Threads.count = count
      return results()
    }
    #expect(found[0] == found[1] && found[0] == found[2])
    #expect(found[0].allSatisfy { !$0.isEmpty && $0.allSatisfy(\.isFinite) })
  }

  /// Matrix units count subnormal operands as zero: so does every path of a product in bfloat16.
  @Test(arguments: [1, 2, 40]) func subnormalOperandsOfBfloat16CountAsZero(rows: Int) {
    let subnormal = Float.leastNormalMagnitude / 2
    let large = Float(sign: .plus, exponent: 120, significand: 1)
    let (small, big) = (Tensor(repeating: subnormal, shape: [rows, 40]), Tensor(repeating: large, shape: [48, 40]))
    let bfloat16 = Execution(arithmetic: .bfloat16)
    #expect(bfloat16.run { linear(small, big) }.values.allSatisfy { $0 == 0 })
    #expect(Execution().run { linear(small, big) }.values.allSatisfy { $0 > 0 })
  }

  /// Packing, blocks and edges of AMX, with its instruction in plain C, in a process of its own since the tile is chosen once.
  @Test func theModelOfAMXComputesTheSameProducts() async {
    await #expect(processExitsWith: .success) {
      setenv("GRAFT_MATRIX_TILE", "amx-model", 1)
      try #require(LinearAlgebraBackend.matrixTile(for: .bfloat16) == "amx-model")
      for (rows, inputs, outputs) in [(2, 7, 5), (16, 32, 16), (31, 33, 47), (70, 515, 70), (161, 1031, 41)] {
        let (x, w) = (RandomStream(seed: 1).normal([rows, inputs]), RandomStream(seed: 2).normal([outputs, inputs]))
        let base = RandomStream(seed: 3).normal([rows, outputs])
        let rounded = (x.converted(to: .bfloat16).converted(to: .float32), w.converted(to: .bfloat16).converted(to: .float32))
        for scale in [Float(1), 0.5] {
          let found = Execution(arithmetic: .bfloat16).run { linear(x, w, scale: scale, addingTo: base) }.values
          let expected = linear(rounded.0, rounded.1, scale: scale, addingTo: base).values
          let largest = zip(found, expected).map { abs($0 - $1) }.max() ?? .infinity
          try #require(largest <= 3e-6 * Float(inputs).squareRoot() * 10, "\(rows)x\(inputs)x\(outputs): off by \(largest)")
        }
      }
    }
  }

  /// The instruction itself, where the processor has it.
  @Test(.enabled(if: LinearAlgebraBackend.matrixTile(for: .bfloat16) == "amx", "this processor has no AMX"))
  func amxComputesWhatItsModelDoes() async {
    await #expect(processExitsWith: .success) {
      let (x, w) = (RandomStream(seed: 1).normal([161, 1031]), RandomStream(seed: 2).normal([70, 1031]))
      let native = Execution(arithmetic: .bfloat16).run { linear(x, w) }.values
      let exact = linear(x.converted(to: .bfloat16).converted(to: .float32), w.converted(to: .bfloat16).converted(to: .float32)).values
      try #require(zip(native, exact).allSatisfy { abs($0 - $1) <= 1e-3 })
    }
  }
}
