import GraftRegularExpressions

/// Splits at the matches of a pattern.
struct SplitPreTokenizer: PreTokenizer {
  private let pattern: RegularExpression
  private let behavior: SplitBehavior
  /// True where the matches are the pieces, and the text between them delimits.
  private let isInverted: Bool

  init(pattern: RegularExpression, behavior: SplitBehavior, isInverted: Bool = false) {
    self.pattern = pattern
    self.behavior = behavior
    self.isInverted = isInverted
  }

  init(_ component: Component) throws(TokenizerError) {
    behavior = try SplitBehavior(component)
    isInverted = component.bool("invert", default: false)
    pattern = try RegularExpression(component, "pattern")
  }

  func split(_ text: inout PieceText) {
    var stretches: [SplitBehavior.Stretch] = []
    text.split { bytes, piece, append in
      let part = UnsafeBufferPointer(rebasing: bytes[piece])
      var end = 0
      if behavior == .isolated {
        pattern.forEachMatch(in: part) { match in
          append(piece.lowerBound + end..<piece.lowerBound + match.lowerBound)
          append(piece.lowerBound + match.lowerBound..<piece.lowerBound + match.upperBound)
          end = match.upperBound
        }
        append(piece.lowerBound + end..<piece.upperBound)
        return
      }
      stretches.removeAll(keepingCapacity: true)
      pattern.forEachMatch(in: part) { match in
        if end < match.lowerBound { stretches.append((end..<match.lowerBound, isInverted)) }
        stretches.append((match, !isInverted))
        end = match.upperBound
      }
      if end < part.count { stretches.append((end..<part.count, isInverted)) }
      behavior.forEachPiece(of: stretches) { range in
        append(range.lowerBound + piece.lowerBound..<range.upperBound + piece.lowerBound)
      }
    }
  }
}

extension RegularExpression {
  /// Reads `{"String": ...}` or `{"Regex": ...}`.
  init(_ component: Component, _ key: String) throws(TokenizerError) {
    do {
      if let text = component.json[key]?["String"]?.string {
        try self.init(literal: text)
      } else if let pattern = component.json[key]?["Regex"]?.string {
        try self.init(pattern)
      } else {
        throw component.error("\(component.kind) \(component.type) has no \"\(key)\"")
      }
    } catch let error as RegularExpressionError {
      throw component.error(
        "\(component.kind) \(component.type): \(error.description)", fix: "write it with the syntax that is supported")
    } catch let error as TokenizerError {
      throw error
    } catch {
      throw component.error("\(error)")
    }
  }
}
