/// Signs that a text was decoded wrongly on its way, or holds what no text should.
enum TextDamage {
  /// Returns the first sign in words; nil for a text that looks whole.
  static func first(in text: String) -> String? {
    // Most texts have nothing but ASCII letters: one look at their bytes is enough.
    guard text.utf8.contains(where: { $0 >= 0x7F || $0 < 0x20 && !isSpacing($0) }) else { return nil }
    var previous: Unicode.Scalar = " "
    for (position, scalar) in text.unicodeScalars.enumerated() {
      if let sign = sign(of: scalar, after: previous) { return "\(sign) at character \(position + 1)" }
      previous = scalar
    }
    return nil
  }

  private static func sign(of scalar: Unicode.Scalar, after previous: Unicode.Scalar) -> String? {
    switch scalar.value {
    case 0xFFFD: return "U+FFFD, which stands for bytes that could not be read,"
    case 0x09, 0x0A, 0x0D: return nil
    case ..<0x20, 0x7F..<0xA0: return "the control character \(code(scalar))"
    case 0xE000...0xF8FF: return "the private character \(code(scalar))"
    default: return isMisread(previous, scalar) ? "\"\(previous)\(scalar)\", which is UTF-8 read as Latin-1," : nil
    }
  }

  /// True for the two letters that the bytes of an accented letter or of a typographic sign become where UTF-8 is read as Windows-1252: `Ã©`, `â€™`, `Â°`.
  private static func isMisread(_ first: Unicode.Scalar, _ second: Unicode.Scalar) -> Bool {
    switch first.value {
    case 0xC2, 0xC3: (0xA0...0xBF).contains(second.value) || second.value == 0x20AC || second.value == 0x2122
    case 0xE2: second.value == 0x20AC
    case 0xEF: second.value == 0xBB
    default: false
    }
  }

  private static func isSpacing(_ byte: UInt8) -> Bool { byte == 0x09 || byte == 0x0A || byte == 0x0D }

  private static func code(_ scalar: Unicode.Scalar) -> String {
    let digits = String(scalar.value, radix: 16, uppercase: true)
    return "U+" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
  }
}
