import GraftDatasets
import GraftGeneration
import GraftLayers
import GraftTokenizers

extension ModelSession {
  /// The ids that end an answer.
  public var endIDs: Set<Int32> {
    let configured = directory.endOfSequenceIDs
    return configured.isEmpty ? Set([(try? tokenizer())?.endOfSequenceID].compactMap { $0 }) : configured
  }

  /// The prompts of a data file: its `prompt`s, or `source`s, whatever else the records hold.
  public func prompts(of path: String) throws -> [String] {
    try DataFile.records(of: path).map { record in
      guard let prompt = ["prompt", "source", "text"].lazy.compactMap({ record.fields[$0]?.string }).first else {
        throw DatasetError(file: record.file, line: record.line, problem: "has no \"prompt\"", advice: "write {\"prompt\": \"...\"}")
      }
      return prompt
    }
  }

  /// The new tokens of every prompt, a bounded number of prompts at a time.
  public func generate(
    _ prompts: [String], _ settings: SamplingSettings, onToken: (_ prompt: Int, _ token: Int32) -> Bool = { _, _ in true }
  ) throws -> [[Int32]] {
    let tokenizer = try tokenizer()
    let generator = try Generator(continuing: model, endIDs: endIDs)
    let ids = try prompts.map { prompt in
      let ids = tokenizer.encode(prompt)
      guard !ids.isEmpty else { throw SessionError(.data, "\"\(prompt.prefix(20))\": has no tokens; a prompt needs at least one") }
      try model.check(ids, of: "\"\(prompt.prefix(20))\"")
      return ids
    }
    return ids.indices.grouped(tokens: { ids[$0].count + settings.maxNewTokens }, atMost: 16_384).flatMap { group in
      generator(group.map { ids[$0] }, settings) { onToken(group[$0], $1) }
    }
  }
}
