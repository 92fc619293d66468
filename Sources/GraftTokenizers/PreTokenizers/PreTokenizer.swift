import GraftJSON
import GraftRegularExpressions

/// Splits normalized text into the pieces that the model sees one by one.
protocol PreTokenizer: Sendable {
  func split(_ text: inout PieceText)
  /// True where it leaves texts as long as they are.
  var keepsTextWhole: Bool { get }
}

extension PreTokenizer {
  var keepsTextWhole: Bool { false }
}

/// Reads a pre-tokenizer of `tokenizer.json`.
func makePreTokenizer(_ component: Component) throws(TokenizerError) -> any PreTokenizer {
  switch component.type {
  case "Sequence":
    var steps: [any PreTokenizer] = []
    for step in try component.components("pretokenizers") { steps.append(try makePreTokenizer(step)) }
    return PreTokenizerSequence(steps: steps)
  case "ByteLevel": return try ByteLevelPreTokenizer(component)
  case "Split": return try SplitPreTokenizer(component)
  case "Metaspace": return try MetaspacePreTokenizer(component)
  case "BertPreTokenizer": return BertPreTokenizer()
  case "Whitespace": return try WordPreTokenizer(component)
  case "WhitespaceSplit": return DelimiterPreTokenizer(behavior: .removed, isDelimiter: ScalarClass.isWhiteSpace)
  case "Punctuation":
    return DelimiterPreTokenizer(
      behavior: try SplitBehavior(component, default: .isolated), isDelimiter: ScalarClass.isPunctuation)
  case "Digits":
    let behavior: SplitBehavior = component.bool("individual_digits", default: false) ? .isolated : .contiguous
    return DelimiterPreTokenizer(behavior: behavior, isDelimiter: ScalarClass.isNumeric)
  case "Delimiter", "CharDelimiterSplit":
    let delimiter = try component.scalar("delimiter").value
    return DelimiterPreTokenizer(behavior: .removed) { $0 == delimiter }
  case "UnicodeScripts": return UnicodeScriptsPreTokenizer()
  case "FixedLength": return FixedLengthPreTokenizer(length: max(1, component.json["length"]?.int ?? 5))
  default: throw component.unknown()
  }
}

/// Several pre-tokenizers, one after the other.
struct PreTokenizerSequence: PreTokenizer {
  let steps: [any PreTokenizer]

  func split(_ text: inout PieceText) { for step in steps { step.split(&text) } }

  var keepsTextWhole: Bool { steps.allSatisfy(\.keepsTextWhole) }
}
