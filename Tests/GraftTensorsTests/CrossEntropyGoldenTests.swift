import Foundation
import GraftTensors
import GraftTestSupport
import Testing

/// Label smoothing and weights of classes, as torch and Transformers compute them (`Scripts/make-label-goldens.py`).
@Suite struct CrossEntropyGoldenTests {
  struct Golden: Decodable, Sendable, CustomTestStringConvertible {
    var name: String
    var rows: Int, classes: Int
    var logits: [Float]
    var targets: [Int32]
    var smoothing: Float
    var classWeights: [Float]?
    var loss: Float
    var gradient: [Float]

    var testDescription: String { name }
    var scored: [Int] { (0..<rows).filter { targets[$0] >= 0 } }
    /// The divisor of torch's mean.
    var divisor: Float { scored.reduce(0) { $0 + (classWeights?[Int(targets[$1])] ?? 1) } }
    var options: CrossEntropyOptions { CrossEntropyOptions(smoothing: smoothing, classWeights: classWeights) }

    static let all: [Golden] = {
      guard let data = try? Fixtures("GraftTensorsTests").data("cross-entropy.json"),
        let goldens = try? JSONDecoder().decode([Golden].self, from: data)
      else { return [] }
      return goldens
    }()
  }

  @Test func thereAreGoldens() { #expect(Golden.all.count == 5) }

  @Test(arguments: Golden.all) func overLogits(_ golden: Golden) throws {
    let parameter = Parameter(path: "logits", value: Tensor(golden.logits, [golden.rows, golden.classes]))
    try compare(parameter, golden) { logits, targets in
      crossEntropy(gatherRows(logits, Tensor(golden.scored.map(Int32.init))), targets: targets, options: golden.options, scale: 1 / golden.divisor)
    }
  }

  /// The logits as what a head of ones on the diagonal makes of them.
  @Test(arguments: Golden.all) func behindAHead(_ golden: Golden) throws {
    let parameter = Parameter(path: "logits", value: Tensor(golden.logits, [golden.rows, golden.classes]))
    let head = Tensor((0..<golden.classes * golden.classes).map { $0 % (golden.classes + 1) == 0 ? 1 : 0 }, [golden.classes, golden.classes])
    try compare(parameter, golden) { logits, targets in
      linearCrossEntropy(
        gatherRows(logits, Tensor(golden.scored.map(Int32.init))), LogitProjection(head), targets: targets, options: golden.options,
        scale: 1 / golden.divisor)
    }
  }

  @Test func withoutOptionsNoBitChanges() {
    let logits = Tensor(Golden.all[0].logits, [6, 5])
    let targets = Tensor([2, 0, 3, 3, 1, 4] as [Int32])
    #expect(
      crossEntropy(logits, targets: targets, options: CrossEntropyOptions(smoothing: 0)).scalar == crossEntropy(logits, targets: targets).scalar)
  }

  private func compare(_ parameter: Parameter, _ golden: Golden, _ loss: (Tensor, Tensor) -> Tensor) throws {
    parameter.isTrainable = true
    let tape = Tape()
    let found = tape.record { loss(parameter.operand, Tensor(golden.scored.map { golden.targets[$0] })) }
    let gradients = tape.gradients(of: found)
    #expect(abs(found.scalar - golden.loss) < 2e-6)
    let gradient = try #require(gradients[parameter]).values
    #expect(gradient.count == golden.gradient.count)
    for (found, expected) in zip(gradient, golden.gradient) { #expect(abs(found - expected) < 1e-6) }
  }
}
