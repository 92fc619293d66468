import GraftJSON
import GraftRegularExpressions

/// BERT's: cleans, sets Chinese characters apart, drops accents, lower-cases.
struct BertNormalizer: Normalizer {
  private let cleansText: Bool
  private let isolatesChinese: Bool
  private let stripsAccents: Bool
  private let lowercases: Bool

  init(_ component: Component) {
    cleansText = component.bool("clean_text", default: true)
    isolatesChinese = component.bool("handle_chinese_chars", default: true)
    lowercases = component.bool("lowercase", default: true)
    stripsAccents = component.bool("strip_accents", default: lowercases)
  }

  func normalize(_ text: inout NormalizedText) {
    text.rewriteScalars { scalar, output in
      let scalar = cleansText ? Self.cleaned(scalar) : scalar
      guard let scalar else { return }
      let isChinese = isolatesChinese && Self.isChinese(scalar)
      if isChinese { output.append(0x20) }
      output.append(scalar: scalar)
      if isChinese { output.append(0x20) }
    }
    if stripsAccents, text.bytes.contains(where: { $0 >= 0x80 }) {
      UnicodeNormalizer(form: .nfd).normalize(&text)
      text.rewriteScalars { scalar, output in if !Self.isAccent(scalar) { output.append(scalar: scalar) } }
    }
    if lowercases { LowercaseNormalizer().normalize(&text) }
  }

  /// White space as a space, `nil` for what is dropped.
  private static func cleaned(_ scalar: UInt32) -> UInt32? {
    switch scalar {
    case 0x20..<0x7F: scalar
    case 0x09, 0x0A, 0x0D: 0x20
    case 0, 0xFFFD: nil
    default: isControl(scalar) ? nil : ScalarClass.isWhiteSpace(scalar) ? 0x20 : scalar
    }
  }

  private static let control = ScalarClass.mask(.control, .format, .privateUse)
  private static let nonspacing = ScalarClass.mask(.nonspacingMark)

  /// Control characters, formats and private use, as of Unicode 8.
  private static func isControl(_ scalar: UInt32) -> Bool {
    ScalarClass.category(scalar) & control != 0 && ScalarClass.isAssigned(scalar, byUnicode: 8)
  }

  /// Nonspacing marks as of Unicode 8: since then some scalars have joined them, some left.
  private static func isAccent(_ scalar: UInt32) -> Bool {
    switch scalar {
    case 0..<0x300, 0x1885, 0x1886, 0xA9BD, 0x111C9: false
    case 0x1734, 0x1171E: true
    default: ScalarClass.category(scalar) & nonspacing != 0 && ScalarClass.isAssigned(scalar, byUnicode: 8)
    }
  }

  private static func isChinese(_ scalar: UInt32) -> Bool {
    switch scalar {
    case 0x4E00...0x9FFF, 0x3400...0x4DBF, 0x20000...0x2A6DF, 0x2A700...0x2B73F, 0x2B740...0x2B81F, 0x2B920...0x2CEAF,
      0xF900...0xFAFF, 0x2F800...0x2FA1F:
      true
    default: false
    }
  }
}
