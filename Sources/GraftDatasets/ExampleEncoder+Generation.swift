import GraftBatching
import GraftJSON

/// Causal language modelling: texts, prompts and conversations.
extension ExampleEncoder {
  private var ending: String { tokenizer.endOfSequenceText ?? "" }

  func text(_ text: String) -> EncodedExample {
    EncodedExample(tokens: tokenizer.ids(text + ending)).withoutLossOnFirst()
  }

  /// A prompt alone, without loss and without an end.
  func prompt(_ prompt: String) -> EncodedExample {
    let tokens = tokenizer.ids(prompt)
    return EncodedExample(
      tokens: tokens, isScored: Array(repeating: false, count: tokens.count),
      promptLength: marksPrompts ? tokens.count : nil)
  }

  func prompt(_ prompt: String, completion: String) -> EncodedExample {
    let whole = tokenizer.ids(prompt + completion + ending)
    let start = Self.commonPrefix(tokenizer.ids(prompt), whole)
    return EncodedExample(
      // What sees itself has nothing to learn from itself.
      tokens: whole, isScored: whole.indices.map { $0 >= start || !completionOnlyLoss && !marksPrompts },
      promptLength: marksPrompts ? start : nil
    ).withoutLossOnFirst()
  }

  /// Loss on all of the assistant's turns: as the template marks them, otherwise from where a turn is asked for to where
  /// the conversation with it ends. What comes before the first of them is the prompt.
  func messages(_ record: DataRecord) throws -> EncodedExample {
    var example = try assistantTurns(record)
    guard marksPrompts else { return example }
    let start = example.isScored.firstIndex(of: true) ?? example.tokens.count
    example.promptLength = start
    if !completionOnlyLoss { example.score(start..<example.tokens.count) }
    return example
  }

  /// A conversation with loss on the assistant's turns, or on everything where prompts carry loss too.
  private func assistantTurns(_ record: DataRecord) throws -> EncodedExample {
    let completionOnlyLoss = completionOnlyLoss || marksPrompts
    guard let renderChat else {
      throw record.error("the model has no chat template", "choose a model that has one, or use prompt and completion")
    }
    let turns = try record.array("messages")
    let tools = record.fields["tools"]
    let roles = try turns.map { turn in
      guard let role = turn["role"]?.string else {
        throw record.error("a message has no \"role\"", #"write {"role": "user", "content": "..."}"#)
      }
      return role
    }
    guard !turns.isEmpty else { throw record.error("the conversation has no messages", "add some") }
    let whole = try renderChat(turns, tools, false)
    let tokens = tokenizer.ids(whole.text, special: false)
    var example = EncodedExample(tokens: tokens, isScored: Array(repeating: !completionOnlyLoss, count: tokens.count))
    guard completionOnlyLoss else { return example.withoutLossOnFirst() }
    if let ranges = whole.assistantRanges, !ranges.isEmpty {
      for range in ranges { example.score(tokenRange(of: range, in: whole.text, tokens: tokens)) }
      return example.withoutLossOnFirst()
    }
    for (index, role) in roles.enumerated() where role == "assistant" {
      let before = tokenizer.ids(try renderChat(Array(turns[..<index]), tools, true).text, special: false)
      let after = tokenizer.ids(try renderChat(Array(turns[...index]), tools, false).text, special: false)
      guard tokens.starts(with: before), tokens.starts(with: after), before.count <= after.count else {
        throw record.error(
          "the chat template renders message \(index) differently when more messages follow",
          "use a template that marks {% generation %}, or split the conversation")
      }
      example.score(before.count..<after.count)
    }
    return example.withoutLossOnFirst()
  }

  /// The tokens that hold the bytes `range` of `text`.
  private func tokenRange(of range: Range<Int>, in text: String, tokens: [Int32]) -> Range<Int> {
    func tokenCount(upTo offset: Int) -> Int {
      let head = String(decoding: text.utf8.prefix(offset), as: UTF8.self)
      return Self.commonPrefix(tokenizer.ids(head, special: false), tokens)
    }
    let start = tokenCount(upTo: range.lowerBound)
    return start..<max(start, tokenCount(upTo: range.upperBound))
  }

  private static func commonPrefix(_ a: [Int32], _ b: [Int32]) -> Int {
    zip(a, b).prefix { $0 == $1 }.reduce(0) { count, _ in count + 1 }
  }
}

extension EncodedExample {
  mutating func score(_ range: Range<Int>) {
    for index in range { isScored[index] = true }
  }

  /// Nothing comes before the first token that it could be predicted from.
  func withoutLossOnFirst() -> EncodedExample {
    var example = self
    if !example.isScored.isEmpty { example.isScored[0] = false }
    return example
  }
}
