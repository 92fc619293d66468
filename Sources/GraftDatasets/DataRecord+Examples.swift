import GraftJSON

extension DataRecord {
  /// The record with answered ones before its own question, as an in-context learner is asked (Brown et al. 2020, "Language models are few-shot
  /// learners", section 2): texts with a blank line between, or turns of its conversation.
  ///
  /// - Parameters:
  ///   - examples: records of the same format.
  ///   - format: a format with questions and answers.
  /// - Returns: a record of the format `.messages`, `.seq2seq` or `.promptCompletion`.
  /// - Throws: `DatasetError` for a record without a question or an answer.
  package func following(_ examples: [DataRecord], format: DataFormat) throws(DatasetError) -> DataRecord {
    var record = self
    if format == .messages {
      var turns: [JSON] = []
      for example in examples { turns += try example.array("messages").filter { $0["role"]?.string != "system" } }
      let own = try array("messages")
      let start = own.prefix { $0["role"]?.string == "system" }.count
      record.fields["messages"] = .array(own.prefix(start) + turns + own.dropFirst(start))
      return record
    }
    guard [.promptCompletion, .seq2seq, .alpaca].contains(format) else {
      throw error("the format '\(format.rawValue)' has no questions with answers", "leave few_shot out")
    }
    var text = ""
    for example in examples {
      let (prompt, completion) = try example.promptAndCompletion(format)
      text += prompt + completion + "\n\n"
    }
    let (prompt, completion) = try promptAndCompletion(format)
    let keys = format == .seq2seq ? ("source", "target") : ("prompt", "completion")
    record.fields = [keys.0: .string(text + prompt), keys.1: .string(completion)]
    return record
  }
}
