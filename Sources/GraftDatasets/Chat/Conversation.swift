import GraftJSON

/// A conversation as a record has it.
struct Conversation {
  /// As templates read them.
  var messages: [JSON]
  /// The factor of each message's loss, where the message says one.
  var weights: [Double?]
  var tools: [JSON]?
  var documents: [JSON]?
  var variables: [String: JSON] = [:]

  var request: ChatRequest { ChatRequest(messages, tools: tools, documents: documents, variables: variables) }

  /// The numbers of the assistant's messages.
  var assistants: [Int] { messages.indices.filter { messages[$0]["role"]?.string == "assistant" } }
}

/// The reader of a record's conversation, in any layout of messages that is known.
struct ConversationReader {
  let record: DataRecord
  /// The template's names of the file's roles, beside those that are known anyway.
  let roles: [String: String]
  let renderer: ChatRenderer
  let notes: DataNotes
  /// True where arguments of calls that are JSON texts become objects.
  var parsesArguments = true

  func conversation() throws(DatasetError) -> Conversation {
    let list = try record.jsonList("messages", of: "messages")
    guard !list.isEmpty else { throw record.error("the conversation has no messages", "add some") }
    var conversation = Conversation(messages: [], weights: [])
    for (index, message) in list.enumerated() {
      let reader = MessageReader(message: message, index: index, conversation: self)
      conversation.messages.append(try reader.read())
      conversation.weights.append(try reader.weight())
    }
    try addSystem(to: &conversation)
    conversation.tools = try tools()
    conversation.documents = try objects("documents")
    for (name, value) in try record.object("chat_template_kwargs") ?? [:] { conversation.variables[name] = value }
    noteUnreadKeys(of: record.fields.keys.filter { !Self.recordKeys.contains($0) }, kind: "keys")
    return conversation
  }

  private static let recordKeys: Set<String> = ["messages", "tools", "documents", "chat_template_kwargs", "system"]

  /// A system message beside the list stands in front of it.
  private func addSystem(to conversation: inout Conversation) throws(DatasetError) {
    guard let text = try record.optionalText("system"), !text.isEmpty else { return }
    if let first = conversation.messages.first, first["role"]?.string == "system" {
      guard first["content"]?.string == text else {
        throw record.error("there are \"system\" and a system message in the conversation", "keep one of them")
      }
      return
    }
    conversation.messages.insert(["role": "system", "content": .string(text)], at: 0)
    conversation.weights.insert(nil, at: 0)
  }

  private func tools() throws(DatasetError) -> [JSON]? {
    guard let tools = try objects("tools") else { return nil }
    if !tools.isEmpty, !renderer.mentions("tools") {
      notes.say("\"tools\" are given, which the chat template does not write", of: record.file)
    }
    return tools
  }

  /// Objects given as a list of them or of texts that hold one each, as one object, or as a text that holds either; nil for nothing.
  private func objects(_ key: String) throws(DatasetError) -> [JSON]? {
    guard let value = record.fields[key], !value.isNull else { return nil }
    return try record.objects(in: value, called: "\"\(key)\"")
  }

  /// Says which keys nobody reads.
  func noteUnreadKeys(of keys: [String], kind: String) {
    notes.sayUnread(keys.filter { !renderer.mentions($0) }, kind, of: record.file)
  }
}

extension DataRecord {
  /// The list in a column, perhaps as a JSON text.
  func jsonList(_ key: String, of elements: String) throws(DatasetError) -> [JSON] {
    guard let value = fields[key] else { throw missing(key) }
    if let list = value.array { return list }
    guard let text = value.string, let list = (try? JSON(parsing: text))?.array else { throw wrongType(key, "a list of \(elements)", value) }
    return list
  }

  /// The object in a column, nil where there is none or it is null.
  func object(_ key: String) throws(DatasetError) -> JSONObject? {
    guard let value = fields[key], !value.isNull else { return nil }
    guard let object = value.object ?? value.string.flatMap({ (try? JSON(parsing: $0))?.object }) else { throw wrongType(key, "an object", value) }
    return object
  }

  /// The objects that a value holds: itself, its elements, or those of the JSON that it is the text of.
  func objects(in value: JSON, called name: String) throws(DatasetError) -> [JSON] {
    func refuse(_ found: JSON) -> DatasetError {
      let what = found.string.map { $0.isEmpty ? "an empty text" : "a text that is not JSON" } ?? found.kindDescription
      return error("\(name): expected a list of objects, found \(what)", #"write [{"key": value, ...}, ...]"#)
    }
    switch value {
    case .object: return [value]
    case .array(let elements):
      var objects: [JSON] = []
      for element in elements {
        guard let object = element.object.map(JSON.object) ?? element.string.flatMap({ try? JSON(parsing: $0) }), object.object != nil else {
          throw refuse(element)
        }
        objects.append(object)
      }
      return objects
    case .string(let text):
      guard !text.trimmingSpace.isEmpty else { return [] }
      guard let parsed = try? JSON(parsing: text), parsed.string == nil else { throw refuse(value) }
      return parsed.isNull ? [] : try objects(in: parsed, called: name)
    default: throw refuse(value)
    }
  }
}
