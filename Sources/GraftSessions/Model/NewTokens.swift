import Foundation
import GraftAdapters
import GraftCheckpoints
import GraftJSON
import GraftLayers
import GraftTokenizers

/// Tokens that a recipe, or an adapter trained with one, adds to a model's vocabulary: the tokenizer and the tables grow by them.
struct NewTokens {
  /// The key of their texts in an adapter's configuration.
  static let key = "new_tokens"

  let texts: [String]
  let extended: ExtendedTokenizer

  /// - Parameter directory: where the tokenizer to extend is.
  /// - Returns: nil for no tokens.
  /// - Throws: `TokenizerError` for a text that is a token already.
  init?(_ texts: [String], directory: String) throws {
    guard !texts.isEmpty else { return nil }
    self.texts = texts
    extended = try ExtendedTokenizer(directory: URL(fileURLWithPath: directory, isDirectory: true), adding: texts)
  }

  /// The tokens of adapters that are used together.
  /// - Throws: `SessionError` where they differ: the same id would mean two tokens.
  init?(of adapters: [StoredAdapter], directory: String) throws {
    let lists = adapters.compactMap { $0.configuration[Self.key]?.array?.compactMap(\.string) }.filter { !$0.isEmpty }
    guard Set(lists).count < 2 else { throw SessionError(.data, "new_tokens: the adapters have different ones; use one adapter at a time") }
    try self.init(lists.first ?? [], directory: directory)
  }

  /// The number of rows that the tables need.
  var vocabularySize: Int { Int(extended.newIDs.max() ?? -1) + 1 }

  /// The method that trains the tokens' rows, of the embedding and of a head with a matrix of its own, beside what it does anyway.
  /// - Throws: `SessionError` for a method that cannot.
  func trained(by method: any TuningMethod, in sites: SiteCatalog) throws -> any TuningMethod {
    guard !(method is FullFineTuning) else { return method }
    guard var trainer = method as? any TokenTrainingMethod else {
      throw SessionError(.usage, "model.new_tokens: \(type(of: method).name) does not train their rows; use LORA, TRAINABLE_TOKENS or FULL")
    }
    let tables =
      sites.sites.filter { $0.role == .tokenEmbedding }
      + sites.sites.filter {
        $0.role == .languageModelHead && $0.linear?.weight.path == $0.path + ".weight"
      }
    trainer.train(tokens: extended.newIDs.map(Int.init), ofTables: tables.map(\.path))
    return trainer
  }
}
