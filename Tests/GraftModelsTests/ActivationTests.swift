import GraftJSON
import GraftTensors
import GraftTestSupport
import Testing

@Suite("Activations that Transformers has by name")
struct ActivationTests {
  private static let json = try? ConfigurationFixture.read("activations.json")
  private static let names = json?["activations"]?.object?.keys ?? []

  private func numbers(_ json: JSON?) -> [Float] { json?.floats ?? [] }

  @Test func allAreKnown() { #expect(Self.names.count == 22) }

  @Test(arguments: names)
  func valuesAndSlopes(_ name: String) throws {
    let activation = try #require(Activation(named: name))
    let points = numbers(Self.json?["points"])
    let expected = Self.json?["activations"]?[name]
    let parameter = Parameter(path: "x", value: Tensor(points), isTrainable: true)
    let tape = Tape()
    let values = tape.record { activate(parameter.operand, activation) }
    let gradients = tape.gradients(of: values, seed: Tensor(repeating: 1, shape: [points.count]))
    func near(_ found: [Float], _ expected: [Float]) -> Bool {
      found.count == expected.count && zip(found, expected).allSatisfy { abs($0 - $1) <= 2e-6 * max(1, abs($1)) }
    }
    #expect(near(values.values, numbers(expected?["values"])), "\(values.values)")
    let slopes = activation == .identity ? points.map { _ in 1 } : gradients[parameter]?.values ?? []
    #expect(near(slopes, numbers(expected?["slopes"])), "\(slopes)")
  }
}
