import Foundation
import GraftBatching
import GraftFiles
import GraftRecipes

/// A file of the cache with what a reference says of examples, so that further runs on the same base need not ask it again.
///
/// Its name is a hash of the base, of how it is computed, and of the examples' tokens. It holds the values and their hash.
struct ReferenceCache {
  private let name: String
  private let count: Int

  /// Nil for a reference that no file tells from others: random weights, or a base with an adapter.
  ///
  /// - Throws: what reading the base's weights and the examples throws.
  init?(of exampleCount: Int, _ example: (Int) throws -> EncodedExample, _ settings: RunSettings, _ base: TrainableBase) throws {
    guard settings.recipe.initialAdapter == nil, let weights = try base.fingerprint().weightsSHA256 else { return nil }
    let model = settings.recipe.model
    var hasher = SHA256()
    let computation = [
      "1", weights, "\(settings.frozenFormat)", model.quantization.rawValue, model.attention?.rawValue ?? "",
      settings.recipe.training.precision.rawValue,
      // The rows of new tokens are drawn.
      model.newTokens.isEmpty ? "" : "\(settings.seed) \(model.newTokens)",
    ]
    hasher.update(computation.joined(separator: "\n"))
    for index in 0..<exampleCount {
      let example = try example(index)
      for answer in [example, example.contrast].compactMap({ $0 }) {
        hasher.update("\n\(answer.tokens.count) \(answer.promptLength ?? 0)")
        answer.tokens.withUnsafeBytes { hasher.update($0) }
        hasher.update(String(answer.isScored.map { $0 ? "1" : "0" }))
      }
    }
    name = "reference-" + hasher.finalize()
    count = 2 * exampleCount
  }

  /// The values of the file; nil where it is not there, or not as it was written.
  var values: [Double]? {
    guard let bytes = try? InputFile.bytesIfPresent(of: "\(CacheDirectory.path)/\(name)"), bytes.count == 8 * count + 64 else { return nil }
    let payload = Array(bytes.prefix(8 * count))
    guard payload.withUnsafeBytes({ SHA256.hash($0) }) == String(decoding: bytes.suffix(64), as: UTF8.self) else { return nil }
    return payload.withUnsafeBytes { bytes in
      (0..<count).map { Double(bitPattern: UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 8 * $0, as: UInt64.self))) }
    }
  }

  /// Keeps values. A folder that cannot be written to costs the next run their computation, and nothing else.
  func keep(_ values: [Double]) {
    let payload = values.map(\.bitPattern.littleEndian).withUnsafeBytes { Array($0) }
    let digest = Array(payload.withUnsafeBytes { SHA256.hash($0) }.utf8)
    try? CacheDirectory.replace(name) { writer in
      for part in [payload, digest] { try part.withUnsafeBytes { bytes in try writer.put(bytes) } }
    }
  }
}
