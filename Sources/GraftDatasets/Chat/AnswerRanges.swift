import GraftJSON
import GraftTemplates
import GraftTokenizers

/// A stretch of a rendered conversation that the assistant writes.
struct Answer: Equatable {
  /// The number of its message.
  var message: Int
  /// UTF-8 bytes of the text.
  var range: Range<Int>
}

/// Finds the assistant's own words in the rendering of a whole conversation.
///
/// They are where the template marks them. Otherwise an answer is what the template wrote for its message, without what it also
/// writes to ask for one, up to where the next message starts: the content in whatever form, and what ends the turn. Nothing is
/// assumed of how a part of the conversation would be written.
struct AnswerFinder {
  let render: ChatRenderer
  let request: ChatRequest

  /// - Parameters:
  ///   - whole: the rendering of the request.
  ///   - assistants: the numbers of the assistant's messages.
  /// - Returns: the ranges in order; an answer that the template leaves out has none. Nil where the template wrote its messages in a
  ///   way that cannot be followed.
  func answers(in whole: RenderedChat, assistants: [Int]) -> [Answer]? {
    guard whole.assistantSpans.isEmpty else { return marked(whole, assistants) }
    guard !whole.messageSpans.isEmpty else { return found(whole, assistants) }
    let text = Array(whole.text.utf8)
    let standIn = standIn(assistants)
    var prompts = Prompts(finder: self, first: assistants.first { $0 > 0 } ?? 0)
    var answers: [Answer] = []
    for message in assistants {
      var ranges = whole.ranges(of: message)
      guard let first = ranges.first else { continue }
      if whole.messageSpans.last?.message == message { ranges[ranges.count - 1] = ranges[ranges.count - 1].lowerBound..<text.count }
      let block = text[first.lowerBound..<ranges[0].upperBound]
      let own = standIn?.ranges(of: message).first.map { Array(standIn?.text.utf8 ?? "".utf8)[$0] }
      let header = prompts.headerLength(of: block, after: text[..<first.lowerBound], standIn: own, message: message)
      ranges[0] = first.lowerBound + header..<ranges[0].upperBound
      answers += ranges.filter { !$0.isEmpty }.map { Answer(message: message, range: $0) }
    }
    return answers
  }

  /// The ranges that the template marks, each with the message it was written for.
  private func marked(_ whole: RenderedChat, _ assistants: [Int]) -> [Answer] {
    whole.assistantSpans.enumerated().map { index, range in
      let message = whole.messageSpans.first { $0.range.contains(range.lowerBound) }?.message
      let byOrder = whole.assistantSpans.count == assistants.count ? assistants[index] : assistants.first
      return Answer(message: message ?? byOrder ?? 0, range: range)
    }
  }

  /// The conversation with other answers, none of which has a character that a template has: what stands before one is the
  /// template's. Nil where the template has something against it.
  private func standIn(_ assistants: [Int]) -> RenderedChat? {
    var bare = request.messages
    var kept = request.messages
    for index in assistants {
      bare[index] = ["role": request.messages[index]["role"] ?? "assistant", "content": .string(Self.standInText)]
      kept[index]["content"] = .string(Self.standInText)
    }
    return (try? render(request.with(bare))) ?? (try? render(request.with(kept)))
  }

  private static let standInText = "\u{F8FF}answer"

  /// Contents looked for one after another, where a template captured what it wrote.
  private func found(_ whole: RenderedChat, _ assistants: [Int]) -> [Answer]? {
    let text = whole.text
    var answers: [Answer] = []
    var position = text.startIndex
    for (index, message) in request.messages.enumerated() {
      guard let content = message["content"]?.string?.trimmingSpace, !content.isEmpty else { continue }
      guard let range = text[position...].firstRange(of: content) else {
        if assistants.contains(index) { return nil }
        continue
      }
      position = range.upperBound
      let start = text.utf8.distance(from: text.startIndex, to: range.lowerBound)
      if assistants.contains(index) { answers.append(Answer(message: index, range: start..<start + content.utf8.count)) }
    }
    return answers.isEmpty ? nil : answers
  }
}

/// The texts by which a template asks for an answer, in the places of a conversation.
private struct Prompts {
  let finder: AnswerFinder
  /// The message whose prompt is tried first for every answer: they are nearly always the same.
  let first: Int
  private var known: [Int: [[UInt8]]] = [:]

  init(finder: AnswerFinder, first: Int) { (self.finder, self.first) = (finder, first) }

  /// Returns the number of bytes at the start of an answer's block that only ask for it.
  /// - Parameters:
  ///   - text: the text before the block, where the prompt may begin.
  ///   - standIn: the block of the same message with another content.
  mutating func headerLength(of block: ArraySlice<UInt8>, after text: ArraySlice<UInt8>, standIn: ArraySlice<UInt8>?, message: Int) -> Int {
    let template = standIn.map { block.prefix(block.commonPrefixCount($0)) } ?? block
    for candidate in [first, message] {
      let prompts = prompts(before: candidate)
      // What comes before the first message of all may stand in its block, too.
      let ends = prompts.compactMap { message == 0 ? template.end(of: $0) : template.end(ofPrompt: $0, after: text) }
      if let end = ends.max() { return end }
    }
    let partial = prompts(before: message).map { template.commonPrefixCount($0[...]) }.max() ?? 0
    guard standIn == nil else { return partial }
    // Without a stand-in the content may begin like the prompt goes on: only whole lines are the template's for certain.
    return block.prefix(partial).lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 - block.startIndex } ?? 0
  }

  /// Returns the texts behind the messages before a number where an answer is asked for: all of it, and what does not stand there otherwise.
  private mutating func prompts(before message: Int) -> [[UInt8]] {
    if let prompts = known[message] { return prompts }
    let prompts = finder.prompts(before: message) ?? finder.prompts(before: finder.request.messages.count) ?? []
    known[message] = prompts
    return prompts
  }
}

extension AnswerFinder {
  fileprivate func prompts(before count: Int) -> [[UInt8]]? {
    let messages = request.messages.prefix(count)
    guard count > 0, let asking = try? render(request.with(messages, addsGenerationPrompt: true)) else { return nil }
    let bytes = Array(asking.text.utf8)
    let tail = Array(bytes[(asking.messageSpans.last?.range.upperBound ?? bytes.count)...])
    let plain = (try? render(request.with(messages)))?.text.utf8
    let added = plain.map { Array(bytes[bytes[...].commonPrefixCount(Array($0)[...])...]) } ?? []
    return [tail, added].filter { !$0.isEmpty }
  }
}

extension RenderedChat {
  /// Returns the ranges that were written for a message, neighbouring ones as one.
  fileprivate func ranges(of message: Int) -> [Range<Int>] {
    messageSpans.filter { $0.message == message }.map(\.range)
  }
}

extension ArraySlice<UInt8> {
  fileprivate func commonPrefixCount(_ other: ArraySlice<UInt8>) -> Int {
    zip(self, other).prefix { $0 == $1 }.reduce(0) { count, _ in count + 1 }
  }

  /// Returns the elements here of a prompt that begins at the start or in the text before it; nil where it does not stand there whole.
  fileprivate func end(ofPrompt prompt: [UInt8], after text: ArraySlice<UInt8>) -> Int? {
    (0..<prompt.count).first { text.suffix($0).elementsEqual(prompt.prefix($0)) && starts(with: prompt[$0...]) }.map { prompt.count - $0 }
  }

  /// Returns the number of elements up to the end of the last occurrence of `part`; nil where there is none.
  fileprivate func end(of part: [UInt8]) -> Int? {
    guard !part.isEmpty, part.count <= count else { return nil }
    return (startIndex...endIndex - part.count).last { self[$0..<$0 + part.count].elementsEqual(part) }.map { $0 + part.count - startIndex }
  }
}

extension String {
  /// The text without white space at its ends.
  var trimmingSpace: String {
    guard let first = firstIndex(where: { !$0.isWhitespace }), let last = lastIndex(where: { !$0.isWhitespace }) else { return "" }
    return String(self[first...last])
  }
}
