import GraftBatching
import GraftJSON

/// Preferences: answers to a prompt, in pairs of a better and a worse one, or single ones that are good or bad.
extension ExampleEncoder {
  /// A better answer to a prompt with the worse one that it is compared with.
  func comparedAnswers(_ record: DataRecord) throws -> CutExample {
    var (chosen, rejected): (EncodedExample, EncodedExample)
    if record.fields["chosen"]?.array != nil || record.fields["rejected"]?.array != nil {
      let (prompt, answers) = try record.promptAndAnswers()
      let texts = try answers.map { try messages(record.conversation(prompt, answer: $0)) }
      (chosen, rejected) = (texts[0], texts[1])
    } else {
      let prompt = try record.text("prompt")
      (chosen, rejected) = (
        self.prompt(prompt, completion: try record.text("chosen")), self.prompt(prompt, completion: try record.text("rejected"))
      )
    }
    chosen.contrast = rejected
    return CutExample(chosen, wholeLength: max(chosen.tokens.count, rejected.tokens.count))
  }

  /// An answer to a prompt with the class 1 where it is good, and 0 where it is bad.
  func judgedAnswer(_ record: DataRecord) throws -> EncodedExample {
    let isGood = try record.judgement("label")
    // A prompt and a completion that are messages have become a conversation by now.
    var example =
      record.fields.contains("messages")
      ? try messages(record.without("label")) : self.prompt(try record.text("prompt"), completion: try record.text("completion"))
    example.label = .class(isGood ? 1 : 0)
    return example
  }
}

extension DataRecord {
  /// True where answers that are judged are messages, whose reader says which keys nobody reads.
  var comparesMessages: Bool {
    fields["chosen"]?.array != nil || fields["rejected"]?.array != nil || (fields.contains("messages") && fields.contains("label"))
  }

  /// The messages of a prompt and of two answers; without a prompt it is what both answers begin with.
  fileprivate func promptAndAnswers() throws(DatasetError) -> (prompt: [JSON], answers: [[JSON]]) {
    let chosen = try jsonList("chosen", of: "messages")
    let rejected = try jsonList("rejected", of: "messages")
    if let prompt = fields["prompt"], !prompt.isNull, !(prompt.string != nil && chosen.count > 1) {
      guard let prompt = prompt.array else {
        throw error("\"chosen\" and \"rejected\" are lists of messages, \"prompt\" is not", "write all three as messages, or all as texts")
      }
      return (prompt, [chosen, rejected])
    }
    let common = zip(chosen, rejected).prefix { $0 == $1 }.count
    // Equal answers have the last message alone to differ by.
    let start = min(common, chosen.count - 1, rejected.count - 1)
    guard start > 0 else {
      throw error("\"chosen\" and \"rejected\" do not begin with the same message", "add \"prompt\", the messages that both answer")
    }
    return (Array(chosen[..<start]), [Array(chosen[start...]), Array(rejected[start...])])
  }

  /// The record as a conversation in which the answer's messages alone carry loss.
  fileprivate func conversation(_ prompt: [JSON], answer: [JSON]) -> DataRecord {
    let silent = prompt.map { message -> JSON in
      var message = message
      if message.object != nil { message["train"] = false }
      return message
    }
    var result = self
    for key in ["prompt", "chosen", "rejected"] { result.fields[key] = nil }
    result.fields["messages"] = .array(silent + answer)
    return result
  }

  fileprivate func without(_ key: String) -> DataRecord {
    var result = self
    result.fields[key] = nil
    return result
  }

  /// A truth value, or one of the numbers and words for it.
  fileprivate func judgement(_ key: String) throws(DatasetError) -> Bool {
    guard let value = fields[key] else { throw missing(key) }
    if let truth = value.bool { return truth }
    switch value.string?.lowercased() ?? value.int.map(String.init) {
    case "1", "true": return true
    case "0", "false": return false
    default: throw error("\"\(key)\" does not say whether the answer is good", "write true or false")
    }
  }
}
