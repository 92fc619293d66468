import GraftBatching

/// Causal language modelling: texts, and prompts with completions.
extension ExampleEncoder {
  func text(_ text: String) -> EncodedExample {
    EncodedExample(tokens: tokenized(ended(text)).ids).withoutLossOnFirst()
  }

  /// A prompt alone, without loss and without an end.
  func prompt(_ prompt: String) -> EncodedExample {
    let tokens = tokenized(prompt).ids
    return EncodedExample(
      tokens: tokens, isScored: Array(repeating: false, count: tokens.count),
      promptLength: marksPrompts ? tokens.count : nil)
  }

  func prompt(_ prompt: String, completion: String) -> EncodedExample {
    let whole = tokenized(ended(prompt + completion)).ids
    let start = TokenAlignment.commonPrefixCount(tokenized(prompt).ids, whole)
    return EncodedExample(
      // What sees itself has nothing to learn from itself.
      tokens: whole, isScored: whole.indices.map { $0 >= start || !completionOnlyLoss && !marksPrompts },
      promptLength: marksPrompts ? start : nil
    ).withoutLossOnFirst()
  }
}

extension EncodedExample {
  /// Nothing comes before the first token that it could be predicted from.
  func withoutLossOnFirst() -> EncodedExample {
    var example = self
    if !example.isScored.isEmpty { example.isScored[0] = false }
    return example
  }
}
