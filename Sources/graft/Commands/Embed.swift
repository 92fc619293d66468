import ArgumentParser
import GraftCheckpoints
import GraftJSON
import GraftReports
import GraftSessions

struct Embed: ModelCommand {
  static let configuration = CommandConfiguration(
    abstract: "Sentence embeddings, as JSON Lines.",
    discussion: """
      Example: graft embed --model Data/models/seedling --data texts.jsonl --pooling mean

      A checkpoint of sentence-transformers says how: its modules.json (pooling, Dense, Normalize), the length that texts are cut \\
      to, and its default prompt hold where no option says otherwise. Of any other checkpoint the mean of the last hidden states is \\
      taken.
      """)

  @OptionGroup var model: ModelOptions
  @Option(help: ArgumentHelp("A data file of {\"text\"}.", valueName: "file")) var data: String
  @Option(help: "mean | cls | last | max | mean_sqrt_len_tokens | weightedmean (default: the checkpoint's, or mean)") var pooling: Pooling?
  @Flag(inversion: .prefixedNo, help: "Make vectors of length 1 (default: as the checkpoint says).") var normalize: Bool?
  @Option(help: ArgumentHelp("A text to put before every text.", valueName: "text")) var prompt: String?
  @Option(help: ArgumentHelp("The name of one of the checkpoint's prompts (default: its default prompt).", valueName: "name")) var promptName: String?
  @Flag(help: "Print the matrix of cosine similarities instead.") var similarity = false
  @OptionGroup var shared: SharedOptions

  func validate() throws {
    guard prompt == nil || promptName == nil else { throw ValidationError("--prompt-name: beside --prompt; leave out one of them") }
  }

  func compute() throws {
    let modules = try SentenceModules(in: model.reference().directory)
    var options = EmbeddingOptions()
    (options.pooling, options.normalizes, options.prompt, options.promptName) = (pooling, normalize, prompt, promptName)
    let session = try model.session(modules?.encoderPath, isHeadless: true)
    shared.say(session.notes)
    let vectors = try session.embeddings(of: data, options, modules: modules)
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
