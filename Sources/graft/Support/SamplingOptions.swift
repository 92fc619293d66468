import ArgumentParser
import GraftSessions

/// The choice of tokens, for the commands that write text; what is not given is left to the checkpoint.
struct SamplingOptions: ParsableArguments {
  @Option(help: ArgumentHelp("0 always takes the most probable token (default: the checkpoint's, or 0).", valueName: "x"))
  var temperature: Float?

  @Option(help: ArgumentHelp("Only the k most probable tokens.", valueName: "k"))
  var topK: Int?

  @Option(help: ArgumentHelp("Only the most probable tokens that make up p.", valueName: "p"))
  var topP: Float?

  @Option(help: ArgumentHelp("Only tokens at least this share as probable as the best.", valueName: "p"))
  var minP: Float?

  @Option(help: ArgumentHelp("Above 1 makes tokens that have occurred less probable.", valueName: "x"))
  var repetitionPenalty: Float?

  @Option(parsing: .unconditional, help: ArgumentHelp("What sampling depends on.", valueName: "n"))
  var seed = 0

  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp("A text that ends the answer and is no part of it; may be given several times.", valueName: "text"))
  var stop: [String] = []

  @Option(
    help: ArgumentHelp("What is read in place of the checkpoint's generation_config.json; \"none\" is greedy without penalties.", valueName: "file"))
  var generationConfig: String?

  func validate() throws {
    func require(_ isValid: Bool?, _ problem: String) throws {
      if isValid == false { throw ValidationError(problem) }
    }
    try require(temperature.map { $0 >= 0 && $0.isFinite }, "--temperature: is \(temperature ?? 0); it must be 0 or more")
    try require(topK.map { $0 >= 0 }, "--top-k: is \(topK ?? 0); it must be 0 or more, and 0 is all")
    try require(topP.map { $0 > 0 && $0 <= 1 }, "--top-p: is \(topP ?? 0); it must be above 0 and at most 1")
    try require(minP.map { $0 >= 0 && $0 <= 1 }, "--min-p: is \(minP ?? 0); it must be from 0 to 1")
    try require(
      repetitionPenalty.map { $0 > 0 && $0.isFinite }, "--repetition-penalty: is \(repetitionPenalty ?? 0); it must be above 0")
    try require(!stop.contains(""), "--stop: is empty; give the text that ends an answer")
  }

  /// The wishes of the command line, with the most tokens of an answer where that is said.
  func options(maxNewTokens: Int?) -> GenerationOptions {
    var options = GenerationOptions()
    options.maxNewTokens = maxNewTokens
    (options.temperature, options.topK, options.topP, options.minP) = (temperature, topK, topP, minP)
    options.repetitionPenalty = repetitionPenalty
    options.seed = UInt64(bitPattern: Int64(seed))
    options.stops = stop
    options.configurationPath = generationConfig
    return options
  }

  /// Checks how many tokens an answer may have.
  static func validate(maxNewTokens: Int?) throws {
    guard let count = maxNewTokens, !(1...Int(Int32.max)).contains(count) else { return }
    throw ValidationError("--max-new-tokens: is \(count); it must be at least 1 and at most \(Int32.max)")
  }
}
