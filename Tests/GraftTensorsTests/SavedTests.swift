import GraftTensors
import Testing

/// The forms in which activations wait for the way back.
@Suite struct SavedTests {
  private static let narrow = Execution.SavedForm.converted(.bfloat16)

  /// Gradients of a specimen whose inputs are activations rather than parameters.
  private func gradients(_ specimen: OperationSpecimen, _ form: Execution.SavedForm) -> [[Float]] {
    let parameters = zip(specimen.inputs, specimen.makeInputs()).map { Parameter(path: $0.name, value: $1, isTrainable: true) }
    let tape = Tape()
    let output = Execution(savedForm: form).run { tape.record { specimen.apply(parameters.map { 1 * $0.operand }) } }
    let gradients = tape.gradients(of: output, seed: RandomStream(seed: 7).uniform(output.shape, in: -1..<1))
    return parameters.map { gradients[$0]?.values ?? [] }
  }

  /// Gradients from activations in bfloat16 are off by no more than its rounding: 8 bits.
  @Test(arguments: OperationCatalog.specimens.map(\.name))
  func activationsMayRestInSixteenBits(name: String) throws {
    let specimen = try #require(OperationCatalog.specimens.first { $0.name == name })
    for (found, expected) in zip(gradients(specimen, Self.narrow), gradients(specimen, .asComputed)) {
      #expect(found.count == expected.count)
      let difference = zip(found, expected).reduce(0.0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }.squareRoot()
      let length = expected.reduce(0.0) { $0 + Double($1 * $1) }.squareRoot()
      #expect(difference <= 0.02 * length, "\(difference / length)")
    }
  }

  @Test func whatRestsInSixteenBitsIsRounded() throws {
    let specimen = try #require(OperationCatalog.specimens.first { $0.name == "multiply" })
    #expect(gradients(specimen, Self.narrow) != gradients(specimen, .asComputed))
  }

  /// As computed is the tensor itself: the same memory, with its place on the tape.
  @Test func asComputedIsTheSameMemory() {
    let x = RandomStream(seed: 1).normal([8, 8])
    let tape = Tape()
    tape.record {
      let activation = 2 * Parameter(path: "x", value: x, isTrainable: true).operand
      let saved = Saved(activation)
      #expect(saved.tensor.storage === activation.storage && tape.tracks(saved.tensor))
    }
  }

  @Test func operationsShareTheCopyOfWhatTheyBothKeep() {
    let tape = Tape()
    Execution(savedForm: Self.narrow).run {
      tape.record {
        let activation = 2 * RandomStream(seed: 1).normal([8, 8])
        let (first, second) = (Saved(activation), Saved(activation))
        #expect(first.sharesMemory(with: second))
        #expect(first.tensor.values == activation.converted(to: .bfloat16).values)
        #expect(!first.sharesMemory(with: Saved(activation.rows(0..<4))))
        #expect(Saved(activation, exactly: true).tensor.storage === activation.storage)
      }
    }
  }

  /// A scan keeps what it was given in the saved form alone, but for the sizes of steps, which are exponents.
  @Test func aScanKeepsItsInputsInTheSavedForm() throws {
    final class Reference {
      weak var storage: AnyObject?
      init(_ storage: AnyObject) { self.storage = storage }
    }
    let specimen = try #require(OperationCatalog.specimens.first { $0.name == "structuredScan, blocks" })
    let parameters = zip(specimen.inputs, specimen.makeInputs()).map { Parameter(path: $0.name, value: $1, isTrainable: true) }
    var references: [Reference] = []
    let tape = Tape()
    let output = Execution(savedForm: Self.narrow).run {
      tape.record {
        let inputs = parameters.map { 1 * $0.operand }
        references = inputs.map { Reference($0.storage) }
        return specimen.apply(inputs)
      }
    }
    #expect(references.indices.filter { references[$0].storage != nil } == [1])
    #expect(tape.tracks(output))
  }

  /// Memory that is used again for another result has another copy.
  @Test func aCopyIsForgottenWhereItsSourceIsWrittenOver() {
    let tape = Tape()
    Execution(savedForm: Self.narrow).run {
      tape.record {
        var activation = 2 * RandomStream(seed: 1).normal([8, 8])
        let before = Saved(activation)
        var reused = activation.reusedMemory()
        #expect(reused.storage === activation.storage)
        activation = Tensor([0])
        reused = linear(RandomStream(seed: 2).normal([8, 8]), RandomStream(seed: 3).normal([8, 8]), addingTo: consume reused)
        #expect(Saved(reused).tensor.values == reused.converted(to: .bfloat16).values)
        #expect(before.tensor.values != reused.converted(to: .bfloat16).values)
      }
    }
  }

  /// Parameters lie in memory for as long as their model: a copy would only add to them. Inference keeps nothing.
  @Test func parametersAndInferenceAreLeftAlone() {
    let parameter = Parameter(path: "w", value: RandomStream(seed: 1).normal([8, 8]))
    let activation = 2 * parameter.value
    Execution(savedForm: Self.narrow).run {
      #expect(Saved(activation).tensor.storage === activation.storage)
      Tape().record {
        #expect(Saved(parameter.operand).tensor.storage === parameter.value.storage)
        parameter.assign(3 * parameter.value)
        #expect(Saved(parameter.operand).tensor.storage === parameter.value.storage)
      }
    }
  }
}
