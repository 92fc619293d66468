import GraftBatching

/// A part of an example that is too long for a model to read at once.
public struct ExampleWindow: Sendable, Equatable {
  /// The part's own tokens; what an earlier window scored is not scored again.
  public var example: EncodedExample
  /// The position of each token in the whole example.
  public var places: [Int]
}

extension EncodedExample {
  /// The example in windows of at most `length` tokens that overlap by half, so that every scored token is scored once, with
  /// what stands before it in its window.
  ///
  /// - Parameter frame: the number of tokens at either end around the text, and so around every window's part of it.
  /// - Returns: the example alone where it fits; nothing is cut then.
  public func windows(of length: Int?, frame: (prefix: Int, suffix: Int) = (0, 0)) -> [ExampleWindow] {
    guard let length, tokens.count > length, source == nil, promptLength == nil else {
      return [ExampleWindow(example: self, places: Array(tokens.indices))]
    }
    let body = frame.prefix..<max(frame.prefix, tokens.count - frame.suffix)
    let size = max(2, length - frame.prefix - frame.suffix)
    let stride = size / 2
    var windows: [ExampleWindow] = []
    var start = body.lowerBound
    var scoredEnd = 0
    while true {
      let end = min(start + size, body.upperBound)
      let isLast = end == body.upperBound
      let places = Array(0..<frame.prefix) + Array(start..<end) + Array(body.upperBound..<tokens.count)
      var part = picking(places)
      for (row, place) in places.enumerated() where place < scoredEnd || (place >= end && !isLast) {
        part.isScored[row] = false
        part.tokenLabels?[row] = Batch.ignoredTarget
      }
      windows.append(ExampleWindow(example: part, places: places))
      if isLast { return windows }
      scoredEnd = end
      start += stride
    }
  }

  /// The example of the tokens at `places` alone.
  private func picking(_ places: [Int]) -> EncodedExample {
    var result = self
    result.tokens = places.map { tokens[$0] }
    result.isScored = places.map { isScored[$0] }
    result.lossWeights = lossWeights.map { weights in places.map { weights[$0] } }
    result.typeIDs = typeIDs.map { typeIDs in places.map { typeIDs[$0] } }
    result.tokenLabels = tokenLabels.map { labels in places.map { labels[$0] } }
    return result
  }
}

extension ExampleEncoder {
  /// The number of tokens before and behind every text that an encoder reads; a decoder's windows go without.
  public var windowFrame: (prefix: Int, suffix: Int) {
    guard task == .maskedLM || task == .tokenClassification else { return (0, 0) }
    let (prefix, suffix) = specialTokensAround()
    return (prefix.count, suffix.count)
  }
}
