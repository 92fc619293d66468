import ArgumentParser
import GraftCheckpoints
import Foundation
import GraftDatasets
import GraftJSON
import GraftSessions
import GraftTokenizers

struct Tokenize: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Text as token ids, or token ids as text, as JSON Lines.",
    discussion: "Example: graft tokenize --model Data/models/seedling \"Once upon a time\"")

  @Option(help: ArgumentHelp("A Hugging Face checkpoint directory, or a run.", valueName: "dir")) var model: String
  @Argument(help: "A text.") var text: String?
  @Option(help: ArgumentHelp("A data file of {\"text\"} or, with --decode, {\"ids\"}.", valueName: "file")) var data: String?
  @Flag(help: "Leave out the tokens that the tokenizer puts round a text.") var noSpecialTokens = false
  @Flag(help: "Turn ids into text.") var decode = false
  @OptionGroup var shared: SharedOptions

  func validate() throws {
    guard (text == nil) != (data == nil) else { throw ValidationError("give either a text or --data") }
  }

  func run() throws {
    shared.apply()
    let tokenizer = try Tokenizer(directory: URL(fileURLWithPath: ModelReference(nil, model: model).directory, isDirectory: true))
    if let text {
      Console.output(decode ? try decoded(text, tokenizer) : encoded(text, tokenizer))
      return
    }
    for record in try DataFile.records(of: data ?? "") {
      if decode {
        Console.output(Self.line(["text": .string(tokenizer.decode(try record.tokenIDs(), skippingSpecialTokens: false))]))
      } else {
        guard let key = ["text", "prompt"].first(where: record.fields.contains), let text = record.fields[key]?.string else {
          throw DatasetError(file: record.file, line: record.line, problem: "has no \"text\" that is one", advice: "write {\"text\": \"...\"}")
        }
        Console.output(encoded(text, tokenizer))
      }
    }
  }

  private func encoded(_ text: String, _ tokenizer: Tokenizer) -> String {
    let encoding = tokenizer.encoding(of: text, addingSpecialTokens: !noSpecialTokens)
    return Self.line(["ids": .array(encoding.ids.map { .integer(Int($0)) }), "tokens": .array(encoding.tokens.map(JSON.string))])
  }

  private func decoded(_ text: String, _ tokenizer: Tokenizer) throws -> String {
    let ids = try text.split(whereSeparator: { $0 == "," || $0.isWhitespace }).map { part in
      guard let id = Int32(part) else { throw ValidationError("\"\(part)\" is no token id; give numbers") }
      return id
    }
    return Self.line(["text": .string(tokenizer.decode(ids, skippingSpecialTokens: false))])
  }

  private static func line(_ json: JSON) -> String { json.serialized() }
}

extension DataRecord {
  fileprivate func tokenIDs() throws -> [Int32] {
    guard let ids = fields["ids"]?.array?.map({ $0.int.flatMap { Int32(exactly: $0) } }), !ids.contains(nil) else {
      throw DatasetError(file: file, line: line, problem: "has no \"ids\"", advice: "write {\"ids\": [1, 2, ...]}")
    }
    return ids.compactMap { $0 }
  }
}
