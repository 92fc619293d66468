import ArgumentParser
import GraftGeneration

/// How tokens are chosen, for the commands that write text.
struct SamplingOptions: ParsableArguments {
  @Option(help: ArgumentHelp("0 always takes the most probable token.", valueName: "x"))
  var temperature: Float = 0

  @Option(help: ArgumentHelp("Only the k most probable tokens.", valueName: "k"))
  var topK: Int?

  @Option(help: ArgumentHelp("Only the most probable tokens that make up p.", valueName: "p"))
  var topP: Float?

  @Option(help: ArgumentHelp("Only tokens at least this share as probable as the best.", valueName: "p"))
  var minP: Float?

  @Option(help: ArgumentHelp("Above 1 makes tokens that have occurred less probable.", valueName: "x"))
  var repetitionPenalty: Float = 1

  @Option(help: ArgumentHelp("What sampling depends on.", valueName: "n"))
  var seed = 0

  @Option(parsing: .unconditionalSingleValue, help: ArgumentHelp("A text that ends the answer and is no part of it; may be given several times.", valueName: "text"))
  var stop: [String] = []

  func validate() throws {
    func require(_ isValid: Bool, _ problem: String) throws {
      if !isValid { throw ValidationError(problem) }
    }
    try require(temperature >= 0 && temperature.isFinite, "--temperature: is \(temperature); it must be 0 or more")
    try require((topK ?? 0) >= 0, "--top-k: is \(topK ?? 0); it must be 0 or more, and 0 is all")
    try require(topP.map { $0 > 0 && $0 <= 1 } ?? true, "--top-p: is \(topP ?? 0); it must be above 0 and at most 1")
    try require(minP.map { $0 >= 0 && $0 <= 1 } ?? true, "--min-p: is \(minP ?? 0); it must be from 0 to 1")
    try require(repetitionPenalty > 0 && repetitionPenalty.isFinite, "--repetition-penalty: is \(repetitionPenalty); it must be above 0")
    try require(!stop.contains(""), "--stop: is empty; give the text that ends an answer")
  }

  func settings(maxNewTokens: Int) -> SamplingSettings {
    var settings = SamplingSettings()
    settings.maxNewTokens = maxNewTokens
    (settings.temperature, settings.topK, settings.topP, settings.minP) = (temperature, topK, topP, minP)
    settings.repetitionPenalty = repetitionPenalty
    settings.seed = UInt64(bitPattern: Int64(seed))
    return settings
  }

  /// Says which of the settings do nothing, since nothing is drawn.
  func noteWhatHasNoEffect() {
    let idle = [("--top-k", topK != nil), ("--top-p", topP != nil), ("--min-p", minP != nil)].filter(\.1).map(\.0)
    guard temperature == 0, !idle.isEmpty else { return }
    Console.note("note: \(idle.joined(separator: ", ")) without effect at temperature 0; set --temperature")
  }
}
