/// The way a language writes text between quotes: the characters it escapes, and the escapes.
package struct TextQuoting: Sendable {
  /// Escapes of one letter, by the character: a line's end is `n`.
  let letters: [Unicode.Scalar: Unicode.Scalar]
  /// True where nothing but quotes, backslashes and characters below U+0020 is escaped.
  let keepsNonASCII: Bool
  /// True for a character without a letter that is escaped by its number.
  let isNumbered: @Sendable (Unicode.Scalar) -> Bool
  /// The escape of a character by its number, without the backslash.
  let number: @Sendable (Unicode.Scalar) -> String

  package init(
    letters: [Unicode.Scalar: Unicode.Scalar], keepsNonASCII: Bool = false, isNumbered: @escaping @Sendable (Unicode.Scalar) -> Bool,
    number: @escaping @Sendable (Unicode.Scalar) -> String
  ) {
    self.letters = letters
    self.keepsNonASCII = keepsNonASCII
    self.isNumbered = isNumbered
    self.number = number
  }

  private static let jsonLetters: [Unicode.Scalar: Unicode.Scalar] = ["\u{8}": "b", "\t": "t", "\n": "n", "\u{C}": "f", "\r": "r"]

  /// JSON as RFC 8259 has it, with non-ASCII characters as they are.
  package static let json = TextQuoting(letters: jsonLetters, keepsNonASCII: true, isNumbered: { $0.value < 0x20 }, number: utf16)

  /// JSON of ASCII alone, as Python's `json.dumps` writes it.
  package static let jsonInASCII = TextQuoting(letters: jsonLetters, isNumbered: { $0.value < 0x20 || $0.value > 0x7E }, number: utf16)

  /// The text between quotes.
  package func quoted(_ text: String, by quote: Unicode.Scalar = "\"") -> String {
    var bytes: [UInt8] = []
    append(text, to: &bytes, by: quote)
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Appends the text between quotes, which are of ASCII.
  package func append(_ text: String, to output: inout [UInt8], by quote: Unicode.Scalar = "\"") {
    let mark = UInt8(ascii: quote)
    output.append(mark)
    let isPlain = text.utf8.allSatisfy { $0 >= 0x20 && $0 != mark && $0 != UInt8(ascii: "\\") && (keepsNonASCII || $0 < 0x7F) }
    if isPlain { output.append(contentsOf: text.utf8) } else { appendEscaping(text, to: &output, by: quote) }
    output.append(mark)
  }

  private func appendEscaping(_ text: String, to output: inout [UInt8], by quote: Unicode.Scalar) {
    for scalar in text.unicodeScalars {
      if scalar == quote || scalar == "\\" {
        output.append(UInt8(ascii: "\\"))
        output.append(UInt8(ascii: scalar))
      } else if let letter = letters[scalar] {
        output.append(UInt8(ascii: "\\"))
        output.append(UInt8(ascii: letter))
      } else if isNumbered(scalar) {
        output.append(UInt8(ascii: "\\"))
        output.append(contentsOf: number(scalar).utf8)
      } else {
        output.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
      }
    }
  }

  /// Four hexadecimal digits for each of the one or two units of UTF-16.
  @Sendable private static func utf16(_ scalar: Unicode.Scalar) -> String {
    let units = (UTF16.encode(scalar) ?? UTF16.encodedReplacementCharacter).map { "u" + hexadecimal(UInt32($0), width: 4) }
    return units.joined(separator: "\\")
  }

  /// A number in hexadecimal digits, filled up with zeros.
  package static func hexadecimal(_ value: UInt32, width: Int, uppercase: Bool = false) -> String {
    let digits = String(value, radix: 16, uppercase: uppercase)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
  }
}
