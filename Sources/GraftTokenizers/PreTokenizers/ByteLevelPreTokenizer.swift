import GraftRegularExpressions

/// GPT-2's: splits with its pattern and writes every byte as a printable character.
struct ByteLevelPreTokenizer: PreTokenizer {
  private let addsPrefixSpace: Bool
  private let splitter: SplitPreTokenizer?

  private static let pattern = #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#

  init(_ component: Component) throws(TokenizerError) {
    addsPrefixSpace = component.bool("add_prefix_space", default: true)
    guard component.bool("use_regex", default: true) else {
      splitter = nil
      return
    }
    do {
      splitter = SplitPreTokenizer(pattern: try RegularExpression(Self.pattern), behavior: .isolated)
    } catch {
      throw component.error(error.description)
    }
  }

  /// The alphabet alone, for pieces that others have made.
  init() { (addsPrefixSpace, splitter) = (false, nil) }

  var keepsTextWhole: Bool { splitter == nil }

  func split(_ text: inout PieceText) {
    if addsPrefixSpace {
      text.rewrite { bytes, _, output in
        if bytes[0] != 0x20 { output.append(0x20) }
        output.append(contentsOf: bytes)
      }
    }
    splitter?.split(&text)
    text.rewrite { bytes, _, output in ByteAlphabet.append(bytes, to: &output) }
  }
}

/// GPT-2's printable characters for the 256 bytes.
enum ByteAlphabet {
  /// The character of every byte.
  static let scalars: [UInt32] = {
    var next: UInt32 = 256
    return (UInt32(0)..<256).map { byte in
      switch byte {
      case 33...126, 161...172, 174...255: return byte
      default:
        next += 1
        return next - 1
      }
    }
  }()

  /// The byte of every character below U+0180, -1 for those that stand for none.
  private static let bytes: [Int16] = {
    var table = [Int16](repeating: -1, count: 0x180)
    for (byte, scalar) in scalars.enumerated() { table[Int(scalar)] = Int16(byte) }
    return table
  }()

  /// Appends the characters of all bytes.
  static func append(_ bytes: UnsafeBufferPointer<UInt8>, to output: inout [UInt8]) {
    for byte in bytes {
      if byte > 32 && byte < 127 { output.append(byte) } else { output.append(scalar: scalars[Int(byte)]) }
    }
  }

  /// Appends the bytes that `text` spells; answers `false`, having appended nothing, when it holds another character.
  static func appendBytes(spelledBy text: UnsafeBufferPointer<UInt8>, to output: inout [UInt8]) -> Bool {
    let start = output.count
    var position = 0
    while position < text.count {
      let (scalar, length) = decodeScalar(text, at: position)
      guard scalar < 0x180, bytes[Int(scalar)] >= 0 else {
        output.removeSubrange(start...)
        return false
      }
      output.append(UInt8(bytes[Int(scalar)]))
      position += length
    }
    return true
  }
}
