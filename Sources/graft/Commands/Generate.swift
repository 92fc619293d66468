import ArgumentParser
import GraftGeneration
import GraftJSON
import GraftRecipes

struct Generate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Complete prompts.",
    discussion: "Example: graft generate --model Data/models/seedling --prompt \"Once upon a time\" --max-new-tokens 40")

  @OptionGroup var model: ModelOptions
  @Option(help: ArgumentHelp("A text to complete.", valueName: "text")) var prompt: String?
  @Option(help: ArgumentHelp("A data file of prompts.", valueName: "file")) var data: String?
  @Option(help: ArgumentHelp("The most tokens to add.", valueName: "n")) var maxNewTokens = 128
  @Option(help: ArgumentHelp("0 always takes the most probable token.", valueName: "x")) var temperature: Float = 0
  @Option(help: ArgumentHelp("Only the k most probable tokens.", valueName: "k")) var topK: Int?
  @Option(help: ArgumentHelp("Only the most probable tokens that make up p.", valueName: "p")) var topP: Float?
  @Option(help: ArgumentHelp("Only tokens at least this share as probable as the best.", valueName: "p")) var minP: Float?
  @Option(help: ArgumentHelp("Above 1 makes tokens that have occurred less probable.", valueName: "x")) var repetitionPenalty: Float = 1
  @Option(help: ArgumentHelp("What sampling depends on.", valueName: "n")) var seed = 0
  @Flag(help: "Print one JSON line a prompt.") var json = false
  @OptionGroup var shared: SharedOptions

  func validate() throws {
    guard (prompt == nil) != (data == nil) else { throw ValidationError("give either --prompt or --data") }
    guard maxNewTokens > 0 else { throw ValidationError("--max-new-tokens: must be at least 1") }
    guard temperature >= 0 else { throw ValidationError("--temperature: must not be negative") }
  }

  func run() throws {
    shared.apply()
    let session = try model.session()
    var settings = SamplingSettings()
    settings.maxNewTokens = maxNewTokens
    (settings.temperature, settings.topK, settings.topP, settings.minP) = (temperature, topK, topP, minP)
    settings.repetitionPenalty = repetitionPenalty
    settings.seed = UInt64(bitPattern: Int64(seed))
    let tokenizer = try session.tokenizer()
    if let prompt, !json {
      var decoder = tokenizer.makeStreamingDecoder()
      let ends = session.endIDs
      _ = try session.generate([prompt], settings) { _, token in
        if !ends.contains(token) { Console.stream(decoder.append(token)) }
        return true
      }
      Console.output(decoder.finish())
      return
    }
    let prompts = try prompt.map { [$0] } ?? session.prompts(of: data ?? "")
    for (index, tokens) in try session.generate(prompts, settings).enumerated() {
      let text = tokenizer.decode(tokens)
      guard json else {
        Console.output(text)
        continue
      }
      let line: JSON = ["index": .integer(index), "tokens": .array(tokens.map { .integer(Int($0)) }), "text": .string(text)]
      Console.output(line.serialized())
    }
  }
}
