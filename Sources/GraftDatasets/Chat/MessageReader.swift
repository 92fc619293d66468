import GraftJSON

/// Reads one message of a conversation.
struct MessageReader {
  let message: JSON
  /// Counted from 0.
  let index: Int
  let conversation: ConversationReader

  private var record: DataRecord { conversation.record }

  private func error(_ problem: String, _ advice: String) -> DatasetError {
    record.error("message \(index + 1): \(problem)", advice)
  }

  /// The message as templates read it: `role`, `content` and the keys that only some messages have.
  func read() throws(DatasetError) -> JSON {
    guard let members = message.object else {
      throw error("expected an object, found \(message.kindDescription)", #"write {"role": "user", "content": "..."}"#)
    }
    let (role, isCall) = try role(of: members)
    var result = JSONObject([("role", .string(role))])
    if isCall {
      result["content"] = ""
      result["tool_calls"] = .array(try calls(in: members["value"] ?? members["content"] ?? .null, called: "the call"))
      return .object(result)
    }
    let calls = try toolCalls(of: members)
    if let content = try content(of: members, hasCalls: calls != nil) { result["content"] = content }
    if let calls { result["tool_calls"] = .array(calls) }
    // Tables that are exported as JSON give every message every key.
    for (key, value) in members where !Self.readKeys.contains(key) && !value.isNull {
      result[key] = value
    }
    // Templates are given reasoning under each of its names.
    let readsReasoning = Self.reasoningKeys.contains(where: conversation.renderer.mentions)
    let known = readsReasoning ? Self.knownKeys.union(Self.reasoningKeys) : Self.knownKeys
    conversation.noteUnreadKeys(of: result.keys.filter { !known.contains($0) }, kind: "message keys")
    return .object(result)
  }

  /// Keys that are read here and are not the template's.
  private static let readKeys: Set<String> = ["role", "from", "content", "value", "tool_calls", "function_call", "weight", "train"]
  private static let knownKeys: Set<String> = ["role", "content", "tool_calls", "tool_call_id", "name"]
  private static let reasoningKeys = ["reasoning_content", "reasoning", "thinking"]

  // MARK: Roles

  /// The role in the template's words, and whether the message is a call alone.
  private func role(of members: JSONObject) throws(DatasetError) -> (role: String, isCall: Bool) {
    guard let value = members["role"] ?? members["from"] else {
      throw error("there is no \"role\"", #"write {"role": "user", "content": "..."}"#)
    }
    guard let given = value.string else { throw error("the role is \(value.kindDescription), not a string", "write a role such as \"user\"") }
    if let mapped = conversation.roles[given] { return (mapped, false) }
    if given == "function_call" { return ("assistant", true) }
    guard let inferred = Self.roles[given.lowercased()], inferred != given else {
      if Self.roles[given] == nil, !conversation.renderer.mentions(given) {
        conversation.notes.say("the role \"\(given)\" goes to the chat template as it is; data.roles can give it another name", of: record.file)
      }
      return (given, false)
    }
    conversation.notes.say("the role \"\(given)\" is read as \"\(inferred)\"", of: record.file)
    return (inferred, false)
  }

  /// Roles that many data sets have, and what templates call them.
  private static let roles = [
    "system": "system", "developer": "developer", "user": "user", "human": "user", "assistant": "assistant", "gpt": "assistant",
    "chatgpt": "assistant", "bing": "assistant", "bard": "assistant", "model": "assistant", "bot": "assistant", "ai": "assistant", "tool": "tool",
    "function": "function", "observation": "tool", "function_response": "tool", "ipython": "ipython",
  ]

  // MARK: Content

  private func content(of members: JSONObject, hasCalls: Bool) throws(DatasetError) -> JSON? {
    let key = members.contains("content") ? "content" : members.contains("value") ? "value" : "content"
    switch members[key] {
    case nil, .null?:
      // Templates tell a missing content and one that is null apart.
      if hasCalls || Self.reasoningKeys.contains(where: { members[$0]?.string != nil }) { return members[key] }
      throw error(
        members[key] == nil ? "there is no \"\(key)\"" : "\"\(key)\" is null, and there are no \"tool_calls\"",
        "write a text, or leave the message out")
    case .string(let text)?: return .string(text)
    case .array(let parts)?: return try content(ofParts: parts, key)
    case let other?: throw error("\"\(key)\" is \(other.kindDescription), not a string", "write a text, or a list of parts")
    }
  }

  /// A list of parts, as one text where the template does not read lists.
  private func content(ofParts parts: [JSON], _ key: String) throws(DatasetError) -> JSON {
    var texts: [String] = []
    for (number, part) in parts.enumerated() {
      let type = part["type"]?.string ?? "text"
      guard let text = part.string ?? (["text", "input_text", "output_text"].contains(type) ? part["text"]?.string : nil) else {
        throw error(
          "part \(number + 1) of \"\(key)\" is \(part.object == nil ? part.kindDescription : "of the type \"\(type)\""), not a text",
          "keep parts of the type \"text\"; the model reads nothing else")
      }
      texts.append(text)
    }
    if conversation.renderer.readsParts { return .array(texts.map { ["type": "text", "text": .string($0)] }) }
    if parts.count > 1 { conversation.notes.say("contents of several parts are read as their texts, one behind the other", of: record.file) }
    return .string(texts.joined())
  }

  // MARK: Calls

  /// The calls of a message as a list of objects with arguments that are objects; nil where there are none.
  private func toolCalls(of members: JSONObject) throws(DatasetError) -> [JSON]? {
    if let value = members["tool_calls"], !value.isNull {
      let calls = try calls(in: value, called: "\"tool_calls\"")
      return calls.isEmpty ? nil : calls
    }
    guard let value = members["function_call"], !value.isNull else { return nil }
    conversation.notes.say("\"function_call\" is read as \"tool_calls\"", of: record.file)
    return try calls(in: value, called: "\"function_call\"")
  }

  private func calls(in value: JSON, called name: String) throws(DatasetError) -> [JSON] {
    var calls: [JSON] = []
    for (number, var call) in try record.objects(in: value, called: "message \(index + 1): \(name)").enumerated() {
      if call["function"] == nil, call["name"]?.string != nil { call = ["type": "function", "function": call] }
      if let text = call["function"]?.string {
        guard let function = try? JSON(parsing: text), function.object != nil else {
          throw error("call \(number + 1): \"function\" is a text that is not a JSON object", #"write {"name": ..., "arguments": {...}}"#)
        }
        call["function"] = function
      }
      if let arguments = call["function"]?["arguments"] {
        var function = call["function"] ?? .null
        function["arguments"] = try self.arguments(arguments, ofCall: number)
        call["function"] = function
      }
      calls.append(call)
    }
    return calls
  }

  private func arguments(_ value: JSON, ofCall number: Int) throws(DatasetError) -> JSON {
    guard conversation.parsesArguments else { return value }
    switch value {
    case .object: return value
    case .null: return .object([:])
    case .string(let text):
      if text.trimmingSpace.isEmpty { return .object([:]) }
      if let parsed = try? JSON(parsing: text), parsed.object != nil { return parsed }
      throw error("call \(number + 1): \"arguments\" is a text that is not a JSON object", #"write {"name": value, ...}"#)
    default:
      throw error("call \(number + 1): \"arguments\" is \(value.kindDescription), not an object", #"write {"name": value, ...}"#)
    }
  }

  // MARK: Loss

  /// The factor of the message's loss; nil where it says nothing.
  func weight() throws(DatasetError) -> Double? {
    var weight: Double?
    if let value = message["weight"], !value.isNull {
      guard let number = value.double, number >= 0, number.isFinite, Float(number).isFinite else {
        throw error("\"weight\" is \(value.double.map { "\($0)" } ?? value.kindDescription)", "write a number of 0 or more; 0 is no loss")
      }
      weight = number
    }
    if let value = message["train"], !value.isNull {
      guard let trains = value.bool else { throw error("\"train\" is \(value.kindDescription)", "write true or false") }
      weight = trains ? weight ?? 1 : 0
    }
    return weight
  }
}
