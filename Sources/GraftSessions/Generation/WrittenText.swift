import GraftGeneration
import GraftTokenizers

/// The text of tokens as they are written: whole characters only, up to the first stop string and without any part of it.
///
/// Stop strings are compared with the text as it is generated, special tokens included; these are not shown.
struct WrittenText {
  private var shown: Tokenizer.StreamingDecoder
  /// The text that stop strings are compared with, where there are some.
  private var generated: Tokenizer.StreamingDecoder?
  private var stops: StopStrings

  init(_ tokenizer: Tokenizer, stops: [String]) {
    shown = tokenizer.makeStreamingDecoder()
    generated = stops.isEmpty ? nil : tokenizer.makeStreamingDecoder(skippingSpecialTokens: false)
    self.stops = StopStrings(stops)
  }

  /// True where a stop string has occurred.
  var hasStopped: Bool { stops.hasStopped }

  /// Returns the text that one more token lets be shown.
  mutating func append(_ token: Int32) -> String {
    let text = shown.append(token)
    return stops.append(generated?.append(token) ?? text, showing: text)
  }

  /// Returns the text that is left to show when no more tokens come.
  mutating func finish() -> String {
    let text = shown.finish()
    return stops.append(generated?.finish() ?? text, showing: text) + stops.finish()
  }

  /// The text of tokens that are all there.
  static func whole(_ tokens: [Int32], _ tokenizer: Tokenizer, stops: [String]) -> (text: String, hasStopped: Bool) {
    guard !stops.isEmpty else { return (tokenizer.decode(tokens), false) }
    var written = WrittenText(tokenizer, stops: stops)
    var text = ""
    for token in tokens where !written.hasStopped { text += written.append(token) }
    return (text + written.finish(), written.hasStopped)
  }
}
