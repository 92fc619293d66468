import GraftJSON
import GraftRegularExpressions

/// A token's text while it is decoded: bytes, which only together may be UTF-8.
typealias TokenBytes = [UInt8]

/// Turns tokens back into text.
protocol TokenDecoder: Sendable {
  func decode(_ tokens: [TokenBytes]) -> [TokenBytes]
  /// The factor by which a text may grow.
  var growth: Double { get }
}

extension TokenDecoder {
  var growth: Double { 1 }
}

/// Reads a decoder of `tokenizer.json`.
/// - Throws: `TokenizerError` for one that is not known, and where a text could grow beyond bounds.
func makeDecoder(_ component: Component) throws(TokenizerError) -> any TokenDecoder {
  let decoder = try makeUnboundedDecoder(component)
  try component.checkGrowth(decoder.growth)
  return decoder
}

private func makeUnboundedDecoder(_ component: Component) throws(TokenizerError) -> any TokenDecoder {
  switch component.type {
  case "Sequence":
    var steps: [any TokenDecoder] = []
    for step in try component.components("decoders") { steps.append(try makeUnboundedDecoder(step)) }
    return DecoderSequence(steps: steps)
  case "ByteLevel": return ByteLevelDecoder()
  case "Metaspace":
    return MetaspaceDecoder(
      replacement: Array(String(try component.scalar("replacement")).utf8),
      dropsFirst: try MetaspacePreTokenizer.PrependScheme(component) != .never)
  case "WordPiece":
    return WordPieceDecoder(
      prefix: Array((component.json["prefix"]?.string ?? "##").utf8), cleansUp: component.bool("cleanup", default: true))
  case "BPEDecoder": return SuffixDecoder(suffix: Array((component.json["suffix"]?.string ?? "</w>").utf8))
  case "ByteFallback": return ByteFallbackDecoder()
  case "Fuse": return FuseDecoder()
  case "Strip":
    return StripDecoder(
      content: Array(String(try component.scalar("content")).utf8), atStart: component.json["start"]?.int ?? 0,
      atEnd: component.json["stop"]?.int ?? 0)
  case "Replace":
    return ReplaceDecoder(
      replacer: ReplaceNormalizer(
        pattern: try RegularExpression(component, "pattern"), content: Array(try component.string("content").utf8)))
  case "CTC":
    return CTCDecoder(
      padding: Array((component.json["pad_token"]?.string ?? "<pad>").utf8),
      wordDelimiter: Array((component.json["word_delimiter_token"]?.string ?? "|").utf8),
      cleansUp: component.bool("cleanup", default: true))
  default: throw component.unknown()
  }
}

/// Several decoders, one after the other.
struct DecoderSequence: TokenDecoder {
  let steps: [any TokenDecoder]

  func decode(_ tokens: [TokenBytes]) -> [TokenBytes] { steps.reduce(tokens) { $1.decode($0) } }

  var growth: Double { steps.reduce(1) { $0 * $1.growth } }
}
