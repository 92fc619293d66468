import FuzzSupport
import GraftJSON
import Testing

/// Hostile documents take time in proportion to their size, and no more of the stack than the depth allows.
@Suite("hostile JSON")
struct HostileJSONTests {
  private static let million = 1_000_000

  private func seconds(_ body: () -> Void) -> Double {
    let start = Fuzzing.processorSeconds
    body()
    return Fuzzing.processorSeconds - start
  }

  @Test(
    "refuses in a moment",
    arguments: [
      String(repeating: "[", count: million), String(repeating: "{\"a\":", count: million), String(repeating: "\"", count: million + 1),
      "\"" + String(repeating: "\\u0041", count: million), "[" + String(repeating: "0,", count: million), String(repeating: " ", count: million),
      "[" + String(repeating: "\n", count: million) + "x", "{" + (0..<100_000).map { "\"k\($0)\":0," }.joined() + "\"k0\":1}",
      "1" + String(repeating: "0", count: million), "1e" + String(repeating: "9", count: million), "[-]",
      "\"\\ud800" + String(repeating: "a", count: million),
    ].map(HostileText.init))
  func refuses(bomb: HostileText) {
    let text = bomb.text
    let time = seconds { #expect(throws: JSONError.self) { try JSON(parsing: text) } }
    #expect(time < 2, "\(text.prefix(20)) took \(time) s")
  }

  @Test(
    "reads in a moment",
    arguments: [
      "0." + String(repeating: "1", count: million), "1e-" + String(repeating: "9", count: million),
      "0." + String(repeating: "0", count: million) + "1",
      String(repeating: "1", count: 300), "[" + String(repeating: "[],", count: million) + "0]",
      "{" + (0..<200_000).map { "\"\($0)\":{}," }.joined() + "\"\":0}",
      "\"" + String(repeating: "\\\\", count: million) + "\"",
    ].map(HostileText.init))
  func reads(bomb: HostileText) throws {
    let text = bomb.text
    var json: JSON?
    let time = seconds { json = try? JSON(parsing: text) }
    #expect(time < 2, "\(text.prefix(20)) took \(time) s")
    let value = try #require(json)
    #expect(try JSON(parsing: value.serializedBytes()) == value)
  }

  @Test("counts every level of nesting, of whatever kind")
  func depth() {
    let deep = String(repeating: "[{\"a\":", count: 64) + "0" + String(repeating: "}]", count: 64)
    #expect(throws: Never.self) { try JSON(parsing: deep) }
    #expect(throws: JSONError.self) { try JSON(parsing: "[\(deep)]") }
  }
}
