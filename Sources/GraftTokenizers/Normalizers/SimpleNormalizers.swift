import GraftRegularExpressions

/// Lower case, scalar by scalar.
struct LowercaseNormalizer: Normalizer {
  func normalize(_ text: inout NormalizedText) {
    text.rewriteScalars { scalar, output in Self.append(scalar, to: &output) }
  }

  @inline(__always)
  static func append(_ scalar: UInt32, to output: inout [UInt8]) {
    if scalar < 0x80 {
      output.append(UInt8(scalar >= 0x41 && scalar <= 0x5A ? scalar + 32 : scalar))
    } else if let value = Unicode.Scalar(scalar) {
      output.append(contentsOf: value.properties.lowercaseMapping.utf8)
    }
  }
}

/// Removes white space at the ends.
struct StripNormalizer: Normalizer {
  let stripsLeft: Bool
  let stripsRight: Bool

  func normalize(_ text: inout NormalizedText) {
    let range = text.bytes.withUnsafeBufferPointer { bytes in
      let start = stripsLeft ? bytes.whiteSpaceEnd(after: 0) : 0
      return start..<(stripsRight ? max(start, bytes.whiteSpaceStart(before: bytes.count)) : bytes.count)
    }
    if range.lowerBound > 0 { text.keepsStart = false }
    if range.count < text.bytes.count { text.bytes = Array(text.bytes[range]) }
  }
}

/// Removes combining marks.
struct StripAccentsNormalizer: Normalizer {
  func normalize(_ text: inout NormalizedText) {
    text.rewriteScalars { scalar, output in if !Self.isMark(scalar) { output.append(scalar: scalar) } }
  }

  /// Marks as of Unicode 9.
  private static func isMark(_ scalar: UInt32) -> Bool {
    switch scalar {
    case 0..<0x300, 0x111C9: false
    case 0x1CF2, 0x1CF3: true
    default: ScalarClass.category(scalar) & ScalarClass.mark != 0 && ScalarClass.isAssigned(scalar, byUnicode: 9)
    }
  }
}

/// Writes one text for every match of a pattern.
struct ReplaceNormalizer: Normalizer {
  let pattern: RegularExpression
  let content: [UInt8]

  func normalize(_ text: inout NormalizedText) {
    let (bytes, keepsStart) = replace(text.bytes)
    text.bytes = bytes
    if !keepsStart { text.keepsStart = false }
  }

  /// An empty match stands beside every scalar.
  var growth: Double {
    pattern.minimumLength == 0 ? 1 + Double(content.count) : max(1, Double(content.count) / Double(pattern.minimumLength))
  }

  /// The bytes with every match replaced, and whether their start is still there.
  func replace(_ bytes: [UInt8]) -> (bytes: [UInt8], keepsStart: Bool) {
    guard !bytes.isEmpty else { return (bytes, true) }
    var output: [UInt8] = []
    var end = 0
    var keepsStart = true
    bytes.withUnsafeBufferPointer { bytes in
      pattern.forEachMatch(in: bytes) { match in
        if match.lowerBound == 0 && !match.isEmpty && content.isEmpty { keepsStart = false }
        output.append(contentsOf: bytes[end..<match.lowerBound])
        output.append(contentsOf: content)
        end = match.upperBound
      }
    }
    if end == 0 && output.isEmpty { return (bytes, true) }
    output.append(contentsOf: bytes[end...])
    return (output, keepsStart)
  }
}

/// Puts a text before the start.
struct PrependNormalizer: Normalizer {
  let prefix: [UInt8]

  func normalize(_ text: inout NormalizedText) {
    if !text.bytes.isEmpty { text.bytes.insert(contentsOf: prefix, at: 0) }
  }
}

/// Writes every byte as a printable character of GPT-2's alphabet.
struct ByteLevelNormalizer: Normalizer {
  func normalize(_ text: inout NormalizedText) {
    var output: [UInt8] = []
    output.reserveCapacity(text.bytes.count * 2)
    text.bytes.withUnsafeBufferPointer { ByteAlphabet.append($0, to: &output) }
    text.bytes = output
  }
}

/// The normalizer of Google's neural machine translation: drops control characters, unifies white space.
struct NmtNormalizer: Normalizer {
  func normalize(_ text: inout NormalizedText) {
    text.rewriteScalars { scalar, output in
      switch scalar {
      case 0x01...0x08, 0x0B, 0x0E...0x1F, 0x7F, 0x8F, 0x9F: break
      case 0x09, 0x0A, 0x0C, 0x0D, 0x1680, 0x200B...0x200F, 0x2028, 0x2029, 0x2581, 0xFEFF, 0xFFFD:
        output.append(0x20)
      default: output.append(scalar: scalar)
      }
    }
  }
}
