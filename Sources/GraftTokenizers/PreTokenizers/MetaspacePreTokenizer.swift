/// SentencePiece's: writes spaces as "▁", which also goes before the first word, and splits before each.
struct MetaspacePreTokenizer: PreTokenizer {
  enum PrependScheme: String, Sendable {
    case always, first, never
  }

  private let replacement: [UInt8]
  private let prependScheme: PrependScheme
  private let splits: Bool

  init(_ component: Component) throws(TokenizerError) {
    replacement = Array(String(try component.scalar("replacement")).utf8)
    prependScheme = try PrependScheme(component)
    splits = component.bool("split", default: true)
  }

  var keepsTextWhole: Bool { !splits }

  func split(_ text: inout PieceText) {
    text.rewrite { bytes, piece, output in
      let startsWithSpace = bytes[0] == 0x20 || bytes.starts(with: replacement)
      if !startsWithSpace, prependScheme == .always || (prependScheme == .first && piece.isFirst) {
        output.append(contentsOf: replacement)
      }
      for byte in bytes {
        if byte == 0x20 { output.append(contentsOf: replacement) } else { output.append(byte) }
      }
    }
    guard splits else { return }
    text.split { bytes, piece, append in
      var start = piece.lowerBound
      var position = start
      while position < piece.upperBound {
        if position > start, bytes[position] == replacement[0], bytes[position...].starts(with: replacement) {
          append(start..<position)
          start = position
        }
        position += 1
      }
      append(start..<piece.upperBound)
    }
  }
}

extension MetaspacePreTokenizer.PrependScheme {
  /// Reads `prepend_scheme`, or `add_prefix_space` of older files.
  init(_ component: Component) throws(TokenizerError) {
    let name = component.json["prepend_scheme"]?.string
    let old = component.json["add_prefix_space"]?.bool
    guard let scheme = Self(rawValue: name ?? (old == false ? "never" : "always")) else {
      throw component.error("unknown prepend_scheme \"\(name ?? "")\" of \(component.kind) Metaspace")
    }
    self = scheme
  }
}
