import GraftJSON

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
      let nonspacing = ScalarClass.mask(.nonspacingMark)
      text.rewriteScalars { scalar, output in
        if scalar < 0x300 || ScalarClass.category(scalar) & nonspacing == 0 { output.append(scalar: scalar) }
      }
    }
    if lowercases { LowercaseNormalizer().normalize(&text) }
  }

  /// White space as a space, `nil` for what is dropped.
  private static func cleaned(_ scalar: UInt32) -> UInt32? {
    switch scalar {
    case 0x20..<0x7F: scalar
    case 0x09, 0x0A, 0x0D: 0x20
    case 0, 0xFFFD: nil
    default:
      ScalarClass.category(scalar) & ScalarClass.other != 0 ? nil : ScalarClass.isWhiteSpace(scalar) ? 0x20 : scalar
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
