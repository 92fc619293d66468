import Foundation
import GraftDatasets
import GraftJSON
import GraftTokenizers

/// The tokenizer of a model with adapters: trainers save theirs beside an adapter, with the chat template that it was trained with.
enum AdapterTokenizer {
  /// The tokenizer in the directory of the last adapter that has one, else that of the model; a directory with a chat template or
  /// special tokens alone gives the model's tokenizer those.
  ///
  /// - Throws: `TokenizerError` where files are damaged.
  static func tokenizer(ofModel path: String, adapters: [String], notes: DataNotes) throws -> Tokenizer {
    let model = URL(fileURLWithPath: path, isDirectory: true)
    for adapter in adapters.reversed() {
      let folder = URL(fileURLWithPath: adapter, isDirectory: true)
      // A base as a whole is no adapter's company.
      guard isAdapter(adapter) else { continue }
      if Tokenizer.vocabularyFile(in: adapter) != nil {
        notes.say("its tokenizer is used", of: adapter)
        return try Tokenizer(directory: folder)
      }
      let own = try TokenizerConfiguration(directory: folder)
      guard !own.chatTemplates.isEmpty else { continue }
      notes.say("its chat template is used", of: adapter)
      return try Tokenizer(directory: model, chatTemplates: own.chatTemplates)
    }
    return try Tokenizer(directory: model)
  }

  /// The directory of the last adapter that has a tokenizer beside it; nil where none has.
  static func directory(adapters: [String]) -> String? {
    adapters.last { isAdapter($0) && Tokenizer.vocabularyFile(in: $0) != nil }
  }

  private static func isAdapter(_ path: String) -> Bool { FileManager.default.fileExists(atPath: "\(path)/adapter_config.json") }
}
