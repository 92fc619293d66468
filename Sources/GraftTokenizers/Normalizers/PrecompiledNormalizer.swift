import Foundation

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
    var output: [UInt8] = []
    output.reserveCapacity(text.bytes.count)
    for character in String(decoding: text.bytes, as: UTF8.self) {
      let cluster = Array(character.utf8)
      if cluster.count <= Self.longestCluster, let replacement = replacement(for: cluster[...]) {
        output.append(contentsOf: replacement)
        continue
      }
      var start = 0
      while start < cluster.count {
        let end = start + scalarLength(cluster[start])
        output.append(contentsOf: replacement(for: cluster[start..<end]) ?? cluster[start..<end])
        start = end
      }
    }
    text.bytes = output
  }

  /// What replaces the shortest prefix of `key` that the table holds.
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
