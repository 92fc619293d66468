import Foundation
import GraftBatching
import GraftLayers
import GraftTensors
import GraftTestSupport
import Testing

/// The loss of any number of classes a text, as torch's `BCEWithLogitsLoss` has it, with and without `pos_weight`.
@Suite struct MultiLabelGoldenTests {
  struct Golden: Decodable, Sendable {
    var rows: Int, classes: Int
    var logits: [Float]
    var wanted: [[Int]]
    var classWeights: [Float]?
    var loss: Float
    var gradient: [Float]
  }

  /// A classifier whose logits are its parameter.
  final class FixedClassifier: SequenceClassifier {
    let modelType = "fixed", catalog = SiteCatalog(), vocabularySize = 10, hiddenSize = 1, problem = ClassificationProblem.multiLabel
    let maximumLength: Int? = nil
    let parameter: Parameter
    let labelCount: Int

    init(_ golden: Golden) {
      parameter = Parameter(path: "logits", value: Tensor(golden.logits, [golden.rows, golden.classes]))
      labelCount = golden.classes
    }

    func hiddenStates(_ input: SequenceInput, _ pass: Pass) -> Tensor { parameter.operand }
    func logits(_ input: SequenceInput, _ pass: Pass) -> Tensor { parameter.operand }
  }

  @Test func lossesAndGradients() throws {
    let goldens = try JSONDecoder().decode([Golden].self, from: Fixtures("GraftLayersTests").data("multi-label.json"))
    #expect(goldens.map { $0.classWeights == nil } == [true, false])
    for golden in goldens {
      let examples = golden.wanted.map { wanted in
        EncodedExample(tokens: [1], isScored: [false], label: .classes(Set(wanted.indices.filter { wanted[$0] == 1 })))
      }
      let model = FixedClassifier(golden)
      let batch = Batch(collating: examples, objective: .labels)
      model.parameter.isTrainable = true
      var pass = Pass(isTraining: true)
      pass.crossEntropy = CrossEntropyOptions(classWeights: golden.classWeights)
      let tape = Tape()
      let divisor = batch.lossWeight(classWeights: golden.classWeights)
      #expect(divisor == 4)
      let loss = tape.record { model.loss(batch, pass, scale: 1 / Float(divisor)) }
      let gradients = tape.gradients(of: loss)
      #expect(abs(loss.scalar - golden.loss) < 2e-6)
      for (found, expected) in zip(try #require(gradients[model.parameter]).values, golden.gradient) { #expect(abs(found - expected) < 1e-6) }
    }
  }

  @Test func aTermCountsAsItsClassDoes() {
    let labels: [ExampleLabel] = [.class(2), .class(0), .class(2)]
    let batch = Batch(collating: labels.map { EncodedExample(tokens: [1], isScored: [false], label: $0) }, objective: .labels)
    #expect(batch.lossWeight(classWeights: [0.5, 9, 2]) == 4.5)
    #expect(batch.lossWeight(classWeights: nil) == 3)
    let tokens = EncodedExample(tokens: [1, 2, 3], tokenLabels: [1, Batch.ignoredTarget, 0])
    #expect(Batch(collating: [tokens], objective: .tokenLabels).lossWeight(classWeights: [0.5, 9]) == 9.5)
  }
}
