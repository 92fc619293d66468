import Foundation
import GraftJSON
import GraftTensors
import GraftTestSupport
import Testing

/// Specimens against torch in float64; made by `Scripts/make-operation-goldens.py`.
@Suite struct OperationGoldenTests {
  private let goldens: JSON

  init() throws {
    goldens = try Fixtures("GraftTensorsTests").json("operations.json")
  }

  @Test func everySpecimenHasAGolden() {
    let missing = Set(OperationCatalog.specimens.map(\.name)).subtracting(goldens.object?.keys ?? [])
    #expect(missing.isEmpty, "add them to Scripts/make-operation-goldens.py and run it")
  }

  @Test(arguments: OperationCatalog.specimens.map(\.name))
  func valueIsTorchs(name: String) throws {
    let (specimen, golden) = (try specimen(name), try golden(name))
    let output = specimen.apply(specimen.makeInputs())
    #expect(output.shape.dimensions == golden["shape"]?.array?.compactMap(\.int))
    #expect(isClose(output, golden["output"]))
  }

  @Test(arguments: OperationCatalog.specimens.map(\.name))
  func gradientsAreTorchs(name: String) throws {
    let (specimen, golden) = (try specimen(name), try golden(name))
    let parameters = parameters(of: specimen) { _ in true }
    let gradients = gradients(specimen, parameters)
    for parameter in parameters {
      #expect(isClose(try #require(gradients[parameter]), golden["gradients"]?[parameter.path]), "\(parameter.path)")
    }
  }

  /// An operation that forgets an input gives it no gradient where nothing else is trained.
  @Test(arguments: OperationCatalog.specimens.map(\.name))
  func everyInputAloneGetsItsGradient(name: String) throws {
    let (specimen, golden) = (try specimen(name), try golden(name))
    for input in specimen.inputs {
      let parameters = parameters(of: specimen) { $0 == input.name }
      let gradients = gradients(specimen, parameters)
      let trained = try #require(parameters.first { $0.isTrainable })
      #expect(isClose(try #require(gradients[trained], "\(input.name)"), golden["gradients"]?[input.name]), "\(input.name)")
      #expect(parameters.allSatisfy { $0 === trained || gradients[$0] == nil })
    }
  }

  // -- shared by the tests -----------------------------------------------------------------------------------

  private func specimen(_ name: String) throws -> OperationSpecimen {
    try #require(OperationCatalog.specimens.first { $0.name == name })
  }

  private func golden(_ name: String) throws -> JSON { try #require(goldens[name], "run Scripts/make-operation-goldens.py") }

  private func parameters(of specimen: OperationSpecimen, isTrainable: (_ name: String) -> Bool) -> [Parameter] {
    zip(specimen.inputs, specimen.makeInputs()).map { Parameter(path: $0.name, value: $1, isTrainable: isTrainable($0.name)) }
  }

  private func gradients(_ specimen: OperationSpecimen, _ parameters: [Parameter]) -> Gradients {
    let tape = Tape()
    let output = tape.record { specimen.apply(parameters.map(\.operand)) }
    let seed = RandomStream(seed: 7).split(specimen.name).split("output").uniform(output.shape, in: -1..<1)
    return tape.gradients(of: output, seed: seed)
  }

  /// Returns true where a tensor's weighted sum and first values are those of a golden.
  private func isClose(_ tensor: Tensor, _ golden: JSON?) -> Bool {
    let values = tensor.values.map(Double.init)
    let expected = (golden?.array ?? []).compactMap(\.double)
    let sum = values.enumerated().reduce(0) { $0 + $1.element * Double($1.offset * 37 % 101 - 50) / 50 }
    let found = [sum] + values.prefix(8)
    return found.count == expected.count && zip(found, expected).allSatisfy { abs($0 - $1) <= 2e-5 * max(1, abs($1)) }
  }
}
