import GraftJSON
import GraftRegularExpressions

/// Rewrites text before it is split: lower case, accents, composed characters.
protocol Normalizer: Sendable {
  func normalize(_ text: inout NormalizedText)
  /// The factor by which a text may grow by the file's choice, beside the few bytes of Unicode's own mappings.
  var growth: Double { get }
}

extension Normalizer {
  var growth: Double { 1 }
}

/// The UTF-8 of a text that normalizers rewrite.
struct NormalizedText {
  var bytes: [UInt8]
  /// True where the start of the original text is still there.
  var keepsStart = true

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// Replaces every scalar: `body` appends what takes its place.
  mutating func rewriteScalars(_ body: (UInt32, inout [UInt8]) -> Void) {
    var output: [UInt8] = []
    output.reserveCapacity(bytes.count + bytes.count / 4)
    bytes.withUnsafeBufferPointer { bytes in
      bytes.forEachScalar(in: 0..<bytes.count) { scalar, place in
        body(scalar, &output)
        if place.lowerBound == 0 && output.isEmpty { keepsStart = false }
      }
    }
    bytes = output
  }
}

/// Reads a normalizer of `tokenizer.json`.
/// - Throws: `TokenizerError` for one that is not known, and where a text could grow beyond bounds.
func makeNormalizer(_ component: Component) throws(TokenizerError) -> any Normalizer {
  let normalizer = try makeUnboundedNormalizer(component)
  try component.checkGrowth(normalizer.growth)
  return normalizer
}

private func makeUnboundedNormalizer(_ component: Component) throws(TokenizerError) -> any Normalizer {
  switch component.type {
  case "Sequence":
    var steps: [any Normalizer] = []
    for step in try component.components("normalizers") { steps.append(try makeUnboundedNormalizer(step)) }
    return NormalizerSequence(steps: steps)
  case "NFC": return UnicodeNormalizer(form: .nfc)
  case "NFD": return UnicodeNormalizer(form: .nfd)
  case "NFKC": return UnicodeNormalizer(form: .nfkc)
  case "NFKD": return UnicodeNormalizer(form: .nfkd)
  case "Lowercase": return LowercaseNormalizer()
  case "Strip":
    return StripNormalizer(
      stripsLeft: component.bool("strip_left", default: true), stripsRight: component.bool("strip_right", default: true))
  case "StripAccents": return StripAccentsNormalizer()
  case "Replace":
    return ReplaceNormalizer(
      pattern: try RegularExpression(component, "pattern"), content: Array(try component.string("content").utf8))
  case "Prepend": return PrependNormalizer(prefix: Array(try component.string("prepend").utf8))
  case "BertNormalizer": return BertNormalizer(component)
  case "Precompiled": return try PrecompiledNormalizer(component)
  case "Nmt": return NmtNormalizer()
  case "ByteLevel": return ByteLevelNormalizer()
  default: throw component.unknown()
  }
}

/// Several normalizers, one after the other.
struct NormalizerSequence: Normalizer {
  let steps: [any Normalizer]

  func normalize(_ text: inout NormalizedText) { for step in steps { step.normalize(&text) } }

  var growth: Double { steps.reduce(1) { $0 * $1.growth } }
}

extension Component {
  /// Refuses what would fill the memory with a short text.
  func checkGrowth(_ growth: Double) throws(TokenizerError) {
    // No tokenizer comes near.
    guard growth <= 256 else { throw error("\(kind) \(type): a text can become more than 256 times as long") }
  }
}
