import ArgumentParser
import GraftJSON
import GraftRecipes

struct Embed: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Sentence embeddings, as JSON Lines.",
    discussion: "Example: graft embed --model Data/models/seedling --data texts.jsonl --pooling mean")

  @OptionGroup var model: ModelOptions
  @Option(help: ArgumentHelp("A data file of {\"text\"}.", valueName: "file")) var data: String
  @Option(help: "mean | cls | last") var pooling: Pooling = .mean
  @Flag(help: "Print the matrix of cosine similarities instead.") var similarity = false
  @OptionGroup var shared: SharedOptions

  func run() throws {
    shared.apply()
    let session = try model.session(isHeadless: true)
    shared.say(session.notes)
    let vectors = try session.embeddings(of: data, pooling: pooling)
    if similarity {
      for row in ModelSession.cosineSimilarities(vectors) { Console.output(row.map { Figure.fixed(Double($0), digits: 4) }.joined(separator: " ")) }
      return
    }
    for (index, vector) in vectors.enumerated() {
      let line: JSON = ["index": .integer(index), "embedding": .array(vector.map { .number(Double($0)) })]
      Console.output(line.serialized())
    }
  }
}

extension Pooling: ExpressibleByArgument {}
