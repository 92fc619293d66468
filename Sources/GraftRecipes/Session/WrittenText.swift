import GraftGeneration
import GraftTokenizers

/// The text of tokens as they are written: whole characters only, up to the first stop string and without any part of it.
struct WrittenText {
  private var decoder: Tokenizer.StreamingDecoder
  private var stops: StopStrings

  init(_ tokenizer: Tokenizer, stops: [String]) {
    decoder = tokenizer.makeStreamingDecoder()
    self.stops = StopStrings(stops)
  }

  /// Whether a stop string has occurred.
  var hasStopped: Bool { stops.hasStopped }

  /// What one more token lets be shown.
  mutating func append(_ token: Int32) -> String { stops.append(decoder.append(token)) }

  /// What is left to show when no more tokens come.
  mutating func finish() -> String { stops.append(decoder.finish()) + stops.finish() }

  /// The text of tokens that are all there.
  static func whole(_ tokens: [Int32], _ tokenizer: Tokenizer, stops: [String]) -> (text: String, hasStopped: Bool) {
    var filter = StopStrings(stops)
    let text = filter.append(tokenizer.decode(tokens))
    return (text + filter.finish(), filter.hasStopped)
  }
}
