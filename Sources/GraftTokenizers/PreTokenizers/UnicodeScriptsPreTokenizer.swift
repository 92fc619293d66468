import GraftRegularExpressions

/// Splits where the script of the characters changes, kana counting as Han; white space before the first of them is lost, as it
/// is in the tokenizers library.
struct UnicodeScriptsPreTokenizer: PreTokenizer {
  func split(_ text: inout PieceText) {
    text.split { bytes, piece, append in
      var start: Int?
      var last: Int?
      bytes.forEachScalar(in: piece) { scalar, place in
        guard let script = ScriptRanges.shared.script(of: scalar) else { return }
        if script != last {
          if let start { append(start..<place.lowerBound) }
          start = place.lowerBound
        }
        last = script
      }
      if let start { append(start..<piece.upperBound) }
    }
  }
}

/// The scripts of characters, found by bisection.
private struct ScriptRanges: Sendable {
  static let shared = ScriptRanges(scriptTable)

  private let ranges: [(range: ClosedRange<UInt32>, script: Int)]

  init(_ table: String) {
    ranges = table.split(whereSeparator: \.isWhitespace).compactMap { entry in
      let parts = entry.split { $0 == "-" || $0 == ":" }
      guard parts.count == 3, let first = UInt32(parts[0], radix: 16), let last = UInt32(parts[1], radix: 16), let script = Int(parts[2])
      else { return nil }
      return (first...last, script)
    }
  }

  /// Nil for spaces and characters without a script, which go with what they stand beside.
  func script(of scalar: UInt32) -> Int? {
    var (low, high) = (0, ranges.count)
    while low < high {
      let middle = (low + high) / 2
      if ranges[middle].range.upperBound < scalar { low = middle + 1 } else { high = middle }
    }
    guard low < ranges.count, ranges[low].range.contains(scalar) else { return nil }
    return ranges[low].script
  }
}
