import Foundation
import FuzzSupport
import GraftConfiguration
import GraftRecipes
import GraftTestSupport
import Testing

/// Damaged and hostile recipes are refused with a word, in time and memory that their size bears.
@Suite("damaged recipes")
struct DamagedInputTests {
  @Test func recipes() throws {
    let seeds = try Repository.names(in: "Recipes", endingWith: ".yaml").map { Array(try Repository.text("Recipes/\($0)").utf8) }
    #expect(seeds.count > 3)
    let report = Fuzzing.bytes(like: seeds, factor: 1000, isRefusal: { $0 is ConfigError }) { bytes in
      try Recipe(yaml: String(decoding: bytes, as: UTF8.self), file: "r.yaml").rendered().utf8.count
    }
    #expect(report.problems.isEmpty, "\(report.problems.prefix(5)) (seed \(Fuzzing.seed))")
    #expect(report.refused > report.count / 10, "\(report.refused) of \(report.count) were refused")
  }

  private static let aliases = (0..<12).map { level in
    "a\(level): &a\(level) [" + (level == 0 ? "x, x, x, x, x, x, x, x, x" : Array(repeating: "*a\(level - 1)", count: 9).joined(separator: ", "))
      + "]\n"
  }.joined()

  @Test(
    "hostile YAML is refused in a moment",
    arguments: [
      aliases, String(repeating: "[", count: 100_000), String(repeating: "{a: ", count: 100_000), String(repeating: "- ", count: 100_000) + "x",
      String(repeating: "? ", count: 100_000) + "x", (0..<2000).map { String(repeating: " ", count: $0) + "a:\n" }.joined(),
      (0..<50_000).map { "k\($0): &n\($0) v\n" }.joined(), "a: " + String(repeating: "'", count: 1_000_001),
      "\"" + String(repeating: "\\x41", count: 300_000),
      String(repeating: "&a ", count: 100_000), String(repeating: "!!str ", count: 100_000), String(repeating: "a,", count: 200_000),
      "? " + String(repeating: "a: ", count: 100_000), "training: {max_steps: " + String(repeating: "9", count: 1_000_000) + "}",
      String(repeating: "#", count: 3_000_000), String(repeating: "a: b\n", count: 100_000), String(repeating: "*a ", count: 100_000),
      "<<: " + String(repeating: "[", count: 10_000) + String(repeating: "]", count: 10_000),
    ].map(HostileText.init))
  func hostile(bomb: HostileText) {
    let text = bomb.text
    let start = Fuzzing.processorSeconds
    #expect(throws: ConfigError.self) { try Recipe(yaml: text, file: "r.yaml") }
    let seconds = Fuzzing.processorSeconds - start
    #expect(seconds < 5, "\(text.prefix(40)) took \(seconds) s")
  }
}
