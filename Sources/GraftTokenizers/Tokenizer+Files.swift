import Foundation

/// The files that hold a tokenizer's vocabulary.
extension Tokenizer {
  /// Their names, in the order in which they are looked for: that of the tokenizers library, and that of RWKV's World models.
  package static let vocabularyFiles = ["tokenizer.json", worldVocabularyName]

  /// The path of the vocabulary in a directory; nil where it has none.
  package static func vocabularyFile(in directory: String) -> String? {
    vocabularyFiles.map { "\(directory)/\($0)" }.first { FileManager.default.fileExists(atPath: $0) }
  }
}
