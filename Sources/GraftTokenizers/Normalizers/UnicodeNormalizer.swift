import Foundation
import GraftRegularExpressions

/// Unicode's normalization forms.
struct UnicodeNormalizer: Normalizer {
  enum Form: Sendable {
    case nfc, nfd, nfkc, nfkd
  }

  let form: Form

  func normalize(_ text: inout NormalizedText) {
    let bytes = text.bytes
    guard var position = bytes.firstIndex(where: { $0 >= 0x80 }) else { return }
    var output: [UInt8] = []
    output.reserveCapacity(bytes.count + bytes.count / 8)
    var done = 0
    // ASCII is the same in all forms. Only its last character before other text may combine with that.
    while position < bytes.count {
      let start = max(done, position - 1)
      output.append(contentsOf: bytes[done..<start])
      var end = position
      while end < bytes.count, bytes[end] >= 0x80 { end += 1 }
      append(bytes[start..<end], to: &output)
      done = end
      position = bytes[end...].firstIndex { $0 >= 0x80 } ?? bytes.count
    }
    output.append(contentsOf: bytes[done...])
    text.bytes = output
  }

  /// Appends a part that starts with ASCII at most, cut at scalars that are too young to be touched.
  private func append(_ part: ArraySlice<UInt8>, to output: inout [UInt8]) {
    var start = part.startIndex
    part.withUnsafeBufferPointer { bytes in
      bytes.forEachScalar(in: 0..<bytes.count) { scalar, place in
        guard ScalarClass.isYoungerThanNormalForms(scalar) else { return }
        appendNormalized(part[start..<part.startIndex + place.lowerBound], to: &output)
        output.append(contentsOf: bytes[place])
        start = part.startIndex + place.upperBound
      }
    }
    appendNormalized(part[start...], to: &output)
  }

  private func appendNormalized(_ part: ArraySlice<UInt8>, to output: inout [UInt8]) {
    guard !part.isEmpty else { return }
    let text = String(decoding: part, as: UTF8.self)
    if form == .nfc, text.unicodeScalars.allSatisfy({ Self.isStable($0.value) }) {
      output.append(contentsOf: part)
      return
    }
    let normalized =
      switch form {
      case .nfc: text.precomposedStringWithCanonicalMapping
      case .nfd: text.decomposedStringWithCanonicalMapping
      case .nfkc: text.precomposedStringWithCompatibilityMapping
      case .nfkd: text.decomposedStringWithCompatibilityMapping
      }
    output.append(contentsOf: normalized.utf8)
  }

  /// Common scalars that composition leaves alone as long as they are among themselves.
  private static func isStable(_ scalar: UInt32) -> Bool {
    switch scalar {
    case 0..<0x300, 0x388...0x3FF, 0x400...0x482, 0x48A...0x52F, 0x620...0x64A, 0x671...0x6D3, 0x904...0x939,
      0x93E...0x94C, 0x1E00...0x1EFF, 0x2010...0x2027, 0x3001...0x3029, 0x3041...0x3096, 0x30A1...0x30FC,
      0x4E00...0x9FFF, 0xAC00...0xD7A3, 0xFF01...0xFF5E, 0x1F300...0x1FAFF:
      true
    default: false
    }
  }
}
