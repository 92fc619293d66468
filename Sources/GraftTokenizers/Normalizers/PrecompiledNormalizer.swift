import Foundation
import GraftRegularExpressions

/// SentencePiece's table of replacements, compiled into a double-array trie.
struct PrecompiledNormalizer: Normalizer {
  private let units: [UInt32]
  /// The replacements, each ended by a zero byte.
  private let replacements: [UInt8]

  /// Longer grapheme clusters are looked up scalar by scalar.
  private static let longestCluster = 5

  init(_ component: Component) throws(TokenizerError) {
    guard let text = component.json["precompiled_charsmap"]?.string, let data = Data(base64Encoded: text), data.count >= 4
    else { throw component.error("normalizer Precompiled has no table in base64") }
    let bytes = [UInt8](data)
    func word(_ index: Int) -> UInt32 { (0..<4).reduce(0) { $0 | UInt32(bytes[index * 4 + $1]) << (8 * UInt32($1)) } }
    let trieSize = Int(word(0))
    guard trieSize % 4 == 0, trieSize + 4 <= bytes.count else {
      throw component.error("normalizer Precompiled has a damaged table")
    }
    units = (1...max(1, trieSize / 4)).prefix(trieSize / 4).map(word)
    replacements = Array(bytes[(4 + trieSize)...])
  }

  func normalize(_ text: inout NormalizedText) {
    let bytes = text.bytes
    var output: [UInt8] = []
    output.reserveCapacity(bytes.count)
    var start = 0
    while start < bytes.count {
      // Between two ASCII characters there is always a boundary of grapheme clusters, but within CR LF.
      var end = start + 1
      while end < bytes.count, bytes[end - 1] | bytes[end] >= 0x80 || (bytes[end - 1] == 0x0D && bytes[end] == 0x0A) {
        end += 1
      }
      if end == start + 1 {
        appendReplaced(bytes[start..<end], to: &output)
      } else {
        for character in String(decoding: bytes[start..<end], as: UTF8.self) {
          appendCluster(Array(character.utf8), to: &output)
        }
      }
      start = end
    }
    text.bytes = output
  }

  private func appendCluster(_ cluster: [UInt8], to output: inout [UInt8]) {
    if cluster.count <= Self.longestCluster, let replacement = replacement(for: cluster[...]) {
      output.append(contentsOf: replacement)
      return
    }
    var start = 0
    while start < cluster.count {
      let end = start + scalarLength(cluster[start])
      appendReplaced(cluster[start..<end], to: &output)
      start = end
    }
  }

  private func appendReplaced(_ key: ArraySlice<UInt8>, to output: inout [UInt8]) {
    output.append(contentsOf: replacement(for: key) ?? key)
  }

  /// Returns the replacement of the shortest prefix of `key` that the table holds.
  private func replacement(for key: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
    guard !units.isEmpty else { return nil }
    var node = Self.offset(units[0])
    for byte in key where byte != 0 {
      node ^= Int(byte)
      guard node < units.count else { return nil }
      let unit = units[node]
      guard unit & (1 << 31 | 0xFF) == UInt32(byte) else { return nil }
      node ^= Self.offset(unit)
      if unit >> 8 & 1 == 1 {
        guard node < units.count else { return nil }
        let start = Int(units[node] & 0x7FFF_FFFF)
        guard start <= replacements.count else { return nil }
        return replacements[start...].prefix { $0 != 0 }
      }
    }
    return nil
  }

  private static func offset(_ unit: UInt32) -> Int { Int((unit >> 10) << ((unit & 1 << 9) >> 6)) }
}
