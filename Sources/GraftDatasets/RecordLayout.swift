import GraftConfiguration
import GraftJSON

/// The columns of a user's records under the names that the formats have for them.
public struct RecordLayout: Sendable, Equatable {
  /// The columns of the file by our names: `["prompt": "question"]`; a place within one, as in `answers.text.0`, or a text of several, as in
  /// `{context} Question: {question}`, stands for a column, too.
  public var columns: [String: String]
  /// The layout of tables, where it is not as their extension says.
  public var table: TableLayout
  /// The format of the records; one of a program's own turns them into those of another.
  public var format: DataFormat

  /// The layout of files that have our names, unless something is given.
  public init(columns: [String: String] = [:], table: TableLayout = TableLayout(), format: DataFormat = .auto) {
    self.columns = columns
    self.table = table
    self.format = format
  }

  /// The records with our names for their columns, as they are given or as they can be told.
  ///
  /// - Parameter notes: gets what was inferred.
  /// - Throws: `DatasetError` where a column that was named is not there.
  public func applied(to records: [DataRecord], _ notes: DataNotes) throws(DatasetError) -> [DataRecord] {
    var results: [DataRecord] = []
    results.reserveCapacity(records.count)
    for record in records { results.append(try inferred(try converted(try renamed(record)), notes)) }
    return results
  }

  /// The record of a program's own format as one of the package's.
  private func converted(_ record: DataRecord) throws(DatasetError) -> DataRecord {
    guard let conversion = format.conversion, !record.isDocument else { return record }
    if let column = format.required.first(where: { !record.fields.contains($0) }) { throw record.missing(column) }
    var result = record
    do {
      result.fields = try conversion.fields(record.fields)
    } catch let error as DatasetError {
      throw error
    } catch {
      throw record.error("the record cannot be read as \(format.name): \(error)", "correct it, or name another data.format")
    }
    return result
  }

  private func renamed(_ record: DataRecord) throws(DatasetError) -> DataRecord {
    guard !columns.isEmpty, !record.isDocument else { return record }
    let (record, columns) = try composed(record)
    for (name, column) in columns.sorted(by: { $0.key < $1.key }) where !record.fields.contains(column) && !DataFormat.isOptional(name) {
      let nearest = NearestName.of(column, among: record.fields.keys)
      throw record.error(
        "the record has no \"\(column)\", which data.columns names for \"\(name)\"",
        nearest.map { "did you mean \"\($0)\"?" } ?? record.headerAdvice
          ?? "its keys are \(record.fields.keys.map { "\"\($0)\"" }.joined(separator: ", "))")
    }
    let names = Dictionary(columns.map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
    var result = record
    result.fields = JSONObject(
      record.fields.compactMap { key, value in
        if let name = names[key] { return (name, value) }
        // A column whose name was given to another has none left.
        return columns[key] == nil ? (key, value) : nil
      })
    return result
  }

  /// The record with the columns that places and texts stand for, in place of those that they are made of, and the names that are left to give.
  private func composed(_ record: DataRecord) throws(DatasetError) -> (DataRecord, columns: [String: String]) {
    var (result, rest) = (record, columns)
    var used: [String] = []
    for (name, words) in columns.sorted(by: { $0.key < $1.key }) where !record.fields.contains(words) {
      guard let source = ColumnSource(words) else { continue }
      result.fields[name] = try source.value(in: record, for: name)
      used += source.columns
      rest[name] = nil
    }
    for column in used where columns[column] == nil && !rest.values.contains(column) { result.fields[column] = nil }
    return (result, rest)
  }

  // MARK: What can be told

  private func inferred(_ record: DataRecord, _ notes: DataNotes) throws(DatasetError) -> DataRecord {
    var record = record
    for name in ["conversations", "conversation"] where record.fields.contains(name) && !record.fields.contains("messages") {
      record.rename(name, to: "messages")
      notes.say("\"\(name)\" are read as messages", of: record.file)
    }
    if let joined = try promptedMessages(of: record) {
      notes.say("prompts and completions are read as messages, of which the completions' carry loss", of: record.file)
      return joined
    }
    guard DataFormat.detected(in: record.fields).map({ $0 == .prompt }) ?? true else { return record }
    for (prompt, completion) in Self.pairs where record.fields.contains(prompt) && record.fields.contains(completion) {
      let isAlpaca = prompt == "instruction"
      var said: [String] = []
      func rename(_ old: String, _ new: String) {
        guard old != new, record.fields.contains(old), !record.fields.contains(new) else { return }
        record.rename(old, to: new)
        said.append("\"\(old)\" is read as \"\(new)\"")
      }
      if isAlpaca { rename("context", "input") } else { rename(prompt, "prompt") }
      rename(completion, isAlpaca ? "output" : "completion")
      if !said.isEmpty { notes.say("\(said.joined(separator: ", ")); data.columns can say otherwise", of: record.file) }
      return record
    }
    return record
  }

  /// Names that data sets have for what is asked and what is answered.
  private static let pairs = [
    ("question", "answer"), ("prompt", "response"), ("prompt", "answer"), ("prompt", "output"), ("query", "response"), ("query", "answer"),
    ("question", "response"), ("input", "output"), ("input", "response"), ("instruction", "response"), ("instruction", "completion"),
    ("instruction", "answer"),
  ]

  /// A prompt and a completion that are lists of messages, as one conversation; nil for other records.
  private func promptedMessages(of record: DataRecord) throws(DatasetError) -> DataRecord? {
    guard let prompt = record.fields["prompt"], let completion = record.fields["completion"], prompt.array != nil || completion.array != nil else {
      return nil
    }
    guard let asked = prompt.array, let answered = completion.array else {
      throw record.error("one of \"prompt\" and \"completion\" is a list of messages, the other is not", "write both as messages, or both as texts")
    }
    var result = record
    result.fields["prompt"] = nil
    result.fields["completion"] = nil
    let silent = asked.map { message -> JSON in
      var message = message
      if message.object != nil { message["train"] = false }
      return message
    }
    result.fields["messages"] = .array(silent + answered)
    return result
  }
}

extension DataRecord {
  /// Gives a column another name in its place.
  fileprivate mutating func rename(_ old: String, to new: String) {
    fields = JSONObject(fields.map { ($0.key == old ? new : $0.key, $0.value) })
  }
}
