/// A small case of an operation that its gradient is checked with, standing in the operation's own file.
package struct OperationSpecimen: Sendable {
  /// A tensor of pseudo-random values that the operation is a function of.
  package struct Input: Sendable {
    package let name: String
    package let shape: Shape
    package let range: Range<Float>

    package init(_ name: String, _ shape: Shape, in range: Range<Float> = -1..<1) {
      self.name = name
      self.shape = shape
      self.range = range
    }
  }

  package let name: String
  package let inputs: [Input]
  package let apply: @Sendable ([Tensor]) -> Tensor

  package init(_ name: String, _ inputs: Input..., apply: @escaping @Sendable ([Tensor]) -> Tensor) {
    self.name = name
    self.inputs = inputs
    self.apply = apply
  }

  /// The same values on every machine.
  package func makeInputs() -> [Tensor] {
    inputs.map { RandomStream(seed: 20).split(name).split($0.name).uniform($0.shape, in: $0.range) }
  }
}

/// Every operation's specimens: a test differentiates each, and another asserts that no tape sees an operation without one.
package enum OperationCatalog {
  package static let specimens: [OperationSpecimen] = [
    arithmeticSpecimens, linearSpecimens, activationSpecimens, normSpecimens, tableSpecimens, rotarySpecimens, attentionSpecimens,
    crossEntropySpecimens, softcapSpecimens, targetLogProbabilitySpecimens, dropoutSpecimens, shapingSpecimens, recomputationSpecimens,
    rowInsertionSpecimens,
    rowReplacementSpecimens, axisExchangeSpecimens, rotationSpecimens, rowMixtureSpecimens,
    softmaxSpecimens, selectionSpecimens, expertRoutingSpecimens, expertLinearSpecimens, clampedGateSpecimens, latentSpecimens,
    expertFactorSpecimens, causalConvolutionSpecimens, selectiveScanSpecimens, weightedKeyValueSpecimens,
    structuredScanSpecimens, deltaRuleSpecimens, matrixKeyValueSpecimens,
  ].flatMap { $0 }
}
