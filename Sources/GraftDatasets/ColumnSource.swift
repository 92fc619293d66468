import GraftJSON

/// The source of a column of ours in a user's record, where it is not a column itself: a place within one, or a text that several make up.
enum ColumnSource {
  /// The keys of objects and the numbers of lists on the way to a value: `answers.text.0`.
  case path([String])
  /// Pieces of text, each with the path of a value behind it: `{context} Question: {question}`.
  case template([(text: String, path: [String]?)])

  /// Nil for what can only be the name of a column.
  init?(_ words: String) {
    if words.contains("{"), let pieces = Self.pieces(of: words), pieces.contains(where: { $0.path != nil }) {
      self = .template(pieces)
    } else if words.contains("."), !words.hasPrefix("."), !words.hasSuffix(".") {
      self = .path(Self.path(words))
    } else {
      return nil
    }
  }

  private static func path(_ words: String) -> [String] { words.split(separator: ".").map(String.init) }

  /// The pieces of a template, in which `{{` and `}}` are braces; nil where one is never closed.
  private static func pieces(of words: String) -> [(text: String, path: [String]?)]? {
    var pieces: [(text: String, path: [String]?)] = []
    var (text, rest) = ("", words[...])
    while let next = rest.first {
      if rest.hasPrefix("{{") || rest.hasPrefix("}}") {
        text.append(next)
        rest = rest.dropFirst(2)
      } else if next == "{" {
        guard let end = rest.firstIndex(of: "}") else { return nil }
        pieces.append((text, path(String(rest[rest.index(after: rest.startIndex)..<end]))))
        (text, rest) = ("", rest[rest.index(after: end)...])
      } else {
        text.append(next)
        rest = rest.dropFirst()
      }
    }
    return pieces + [(text, nil)]
  }

  /// The columns of the record that the source reads.
  var columns: [String] {
    switch self {
    case .path(let path): path.first.map { [$0] } ?? []
    case .template(let pieces): pieces.compactMap { $0.path?.first }
    }
  }

  /// The value in a record: what stands at the path, or the text of the template. Null in a template is nothing.
  ///
  /// - Throws: `DatasetError` where the record has no such place.
  func value(in record: DataRecord, for name: String) throws(DatasetError) -> JSON {
    switch self {
    case .path(let path): return try Self.value(at: path, in: record, for: name)
    case .template(let pieces):
      var text = ""
      for piece in pieces {
        text += piece.text
        guard let path = piece.path else { continue }
        switch try Self.value(at: path, in: record, for: name) {
        case .string(let value): text += value
        case .null: break
        case let value: text += value.serialized()
        }
      }
      return .string(text)
    }
  }

  private static func value(at path: [String], in record: DataRecord, for name: String) throws(DatasetError) -> JSON {
    // A column whose own name has full stops comes first.
    if let value = record.fields[path.joined(separator: ".")] { return value }
    var value = JSON.object(record.fields)
    for key in path {
      guard let next = value.object?[key] ?? Int(key).flatMap({ value[$0] }) else {
        throw record.error(
          "the record has no \"\(path.joined(separator: "."))\", which data.columns names for \"\(name)\"", "its keys are \(record.columnList)")
      }
      value = next
    }
    return value
  }
}
