import GraftTensors
import Testing

/// The distance of a gradient from the difference quotient along one random direction, relative to the larger of both.
///
/// <w, op(x + hv) - op(x - hv)> / 2h against <v, gradient>: one number that every element takes part in.
private func directionalError(of specimen: OperationSpecimen, _ apply: ([Tensor]) -> Tensor) -> Double {
  let parameters = zip(specimen.inputs, specimen.makeInputs()).map { Parameter(path: $0.name, value: $1, isTrainable: true) }
  let stream = RandomStream(seed: 7).split(specimen.name)
  let directions = parameters.enumerated().map { stream.split($0.offset).uniform($0.element.shape, in: -1..<1).values }

  let tape = Tape()
  let output = tape.record { apply(parameters.map(\.operand)) }
  let weights = stream.split("output").uniform(output.shape, in: -1..<1)
  let gradients = tape.gradients(of: output, seed: weights)
  var analytic = 0.0
  for (parameter, direction) in zip(parameters, directions) {
    for (g, v) in zip(gradients[parameter]?.values ?? [], direction) { analytic += Double(g) * Double(v) }
  }

  func value(at step: Float) -> Double {
    let inputs = zip(parameters, directions).map { parameter, direction in
      Tensor(zip(parameter.value.values, direction).map { $0 + step * $1 }, parameter.shape)
    }
    return zip(apply(inputs).values, weights.values).reduce(0) { $0 + Double($1.0) * Double($1.1) }
  }
  // Richardson's extrapolation: the error of the quotient itself falls below that of float32.
  let step: Float = 1e-2
  let wide = (value(at: 2 * step) - value(at: -2 * step)) / Double(4 * step)
  let narrow = (value(at: step) - value(at: -step)) / Double(2 * step)
  let numeric = (4 * narrow - wide) / 3
  return abs(numeric - analytic) / max(abs(numeric), abs(analytic), 1e-2)
}

@Suite struct OperationGradientTests {
  @Test(arguments: OperationCatalog.specimens.map(\.name))
  func gradientMatchesDirectionalDifference(name: String) throws {
    let specimen = try #require(OperationCatalog.specimens.first { $0.name == name })
    #expect(directionalError(of: specimen, specimen.apply) < 2e-3)
  }

  @Test func wrongPullbackIsNoticed() throws {
    let specimen = OperationSpecimen("wrong", .init("x", [4, 4])) { inputs in
      let x = inputs[0]
      return recorded("wrong", x * x, from: x.slot) { gradient, tape in
        tape.accumulate(1.9 * (gradient * x), into: x)
      }
    }
    #expect(directionalError(of: specimen, specimen.apply) > 1e-2)
  }

  @Test func everyRecordedOperationHasASpecimen() {
    let covered = Set(
      OperationCatalog.specimens.flatMap { specimen in
        let tape = Tape()
        let parameters = specimen.makeInputs().map { Parameter(path: "x", value: $0, isTrainable: true) }
        return tape.record { () -> [String] in
          _ = specimen.apply(parameters.map(\.operand))
          return tape.operations
        }
      })
    let named = Set(OperationCatalog.specimens.map { $0.name.split(separator: ",")[0].description })
    #expect(covered.subtracting(["parameter"]).isSubset(of: named))
    #expect(named.isSubset(of: covered))
  }

  @Test(arguments: OperationCatalog.specimens.map(\.name))
  func sameBitsOnAnyNumberOfThreads(name: String) throws {
    let specimen = try #require(OperationCatalog.specimens.first { $0.name == name })
    func run() -> [[Float]] {
      let parameters = specimen.makeInputs().map { Parameter(path: "x", value: $0, isTrainable: true) }
      let tape = Tape()
      let output = tape.record { specimen.apply(parameters.map(\.operand)) }
      let gradients = tape.gradients(of: output)
      return [output.values] + parameters.map { gradients[$0]?.values ?? [] }
    }
    let threads = Threads.count
    defer { Threads.count = threads }
    Threads.count = 1
    let one = run()
    Threads.count = 3
    #expect(run() == one)
  }
}
