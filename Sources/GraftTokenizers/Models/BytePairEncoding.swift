import GraftJSON

/// Byte-pair encoding (Sennrich et al. 2016): start from single characters and merge the adjacent pair that was
/// learnt first, leftmost first, until no learnt pair is left.
struct BytePairEncoding: TokenizerModel {
  let vocabulary: Vocabulary
  /// `left id, right id` to `rank, merged id`, 32 bits each.
  let merges: IntegerTable
  let unknownID: Int32?
  /// Put before every character but the first of a piece, and after the last, when they are looked up.
  let continuingPrefix: [UInt8]
  let endOfWordSuffix: [UInt8]
  let fusesUnknown: Bool
  /// The tokens `<0x00>` to `<0xFF>`, -1 where missing; empty without byte fallback.
  let byteTokens: [Int32]
  let ignoresMerges: Bool
  /// The tokens of the ASCII characters, -1 where missing: the common case without a look-up.
  let asciiTokens: [Int32]
  /// The cuts that a long text may have, for tokenizers without a pre-tokenizer.
  let cuts: MergeFreeCuts?

  init(_ component: Component, textIsUnsplit: Bool) throws(TokenizerError) {
    let json = component.json
    guard let members = json["vocab"]?.object, let mergeList = json["merges"]?.array else {
      throw component.error("the BPE model has no \"vocab\" or no \"merges\"")
    }
    let vocabulary = try Vocabulary(members, source: component.source)
    let prefix = Array((json["continuing_subword_prefix"]?.string ?? "").utf8)
    let suffix = Array((json["end_of_word_suffix"]?.string ?? "").utf8)
    self.vocabulary = vocabulary
    continuingPrefix = prefix
    endOfWordSuffix = suffix
    merges = try Self.readMerges(mergeList, vocabulary, prefixLength: prefix.count, component)
    unknownID = json["unk_token"]?.string.flatMap { vocabulary.id(of: $0) }
    fusesUnknown = json["fuse_unk"]?.bool ?? false
    ignoresMerges = json["ignore_merges"]?.bool ?? false
    byteTokens = json["byte_fallback"]?.bool ?? false ? vocabulary.byteTokens : []
    asciiTokens = (UInt8(0)..<128).map { vocabulary.id(of: [$0]) ?? -1 }
    let isCuttable = textIsUnsplit && prefix.isEmpty && suffix.isEmpty && !ignoresMerges
    cuts = isCuttable ? MergeFreeCuts(vocabulary) : nil
  }

  private static func readMerges(
    _ list: [JSON], _ vocabulary: Vocabulary, prefixLength: Int, _ component: Component
  ) throws(TokenizerError) -> IntegerTable {
    let table = IntegerTable(minimumCapacity: list.count)
    var rank: UInt64 = 0
    var merged: [UInt8] = []
    for element in list {
      if let line = element.string, line.utf8.starts(with: "#version".utf8) { continue }
      guard let (left, right) = pair(element) else {
        throw component.error("merge \(rank) is not a pair of tokens")
      }
      merged.removeAll(keepingCapacity: true)
      merged.append(contentsOf: left.utf8)
      merged.append(contentsOf: right.utf8.dropFirst(prefixLength))
      guard let leftID = vocabulary.id(of: left), let rightID = vocabulary.id(of: right),
        let mergedID = vocabulary.id(of: merged)
      else {
        throw component.error("merge \(rank), \"\(left) \(right)\", has tokens outside the vocabulary")
      }
      table.insert(rank << 32 | UInt64(mergedID), forKey: mergeKey(leftID, rightID))
      rank += 1
    }
    return table
  }

  private static func pair(_ element: JSON) -> (String, String)? {
    if let parts = element.array {
      guard parts.count == 2, let left = parts[0].string, let right = parts[1].string else { return nil }
      return (left, right)
    }
    // By bytes: as characters, a space and an accent behind it are one.
    guard let parts = element.string?.utf8.split(separator: 0x20, omittingEmptySubsequences: false), parts.count == 2
    else { return nil }
    return (String(Substring(parts[0])), String(Substring(parts[1])))
  }

  @inline(__always)
  static func mergeKey(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }

  func appendTokens(of piece: UnsafeBufferPointer<UInt8>, to ids: inout [Int32], using workspace: ModelWorkspace) {
    if ignoresMerges, let id = vocabulary.id(of: piece) {
      ids.append(id)
    } else if let cuts, piece.count > MergeFreeCuts.shortestText {
      cuts.forEachPart(of: piece) { part in
        if part.count <= MergeFreeCuts.shortestText {
          appendCachedTokens(of: part, to: &ids, using: workspace)
        } else {
          appendMerged(part, to: &ids, using: workspace)
        }
      }
    } else {
      appendMerged(piece, to: &ids, using: workspace)
    }
  }
}

extension Vocabulary {
  /// The tokens `<0x00>` to `<0xFF>` that stand for bytes, -1 where missing.
  var byteTokens: [Int32] {
    let digits = Array("0123456789ABCDEF".utf8)
    return (0..<256).map { byte in
      id(of: Array("<0x".utf8) + [digits[byte >> 4], digits[byte & 15], UInt8(ascii: ">")]) ?? -1
    }
  }
}
