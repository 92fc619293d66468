import GraftJSON

/// Records that were seen, by hashes of what they ask and of what they say.
struct KnownRecords {
  /// A relation to an earlier record.
  enum Relation {
    case repeated(DataFinding.Place)
    case answeredOtherwise(DataFinding.Place)
  }

  private var wholes: [Int: DataFinding.Place] = [:]
  private var questions: [Int: DataFinding.Place] = [:]

  /// The relation of a record to those seen.
  func find(_ content: RecordContent) -> Relation? {
    let question = content.question.likened
    guard !question.isEmpty else { return nil }
    if let place = wholes[Self.hash(question, content.answer)] { return .repeated(place) }
    guard content.answer != nil, let place = questions[Self.hash(question, nil)] else { return nil }
    return .answeredOtherwise(place)
  }

  /// Takes a record to those seen.
  /// - Returns: its relation to those before.
  mutating func take(_ content: RecordContent, at place: DataFinding.Place) -> Relation? {
    let relation = find(content)
    let question = content.question.likened
    if wholes[Self.hash(question, content.answer)] == nil { wholes[Self.hash(question, content.answer)] = place }
    if content.answer != nil, questions[Self.hash(question, nil)] == nil { questions[Self.hash(question, nil)] = place }
    return relation
  }

  private static func hash(_ question: String, _ answer: String?) -> Int {
    var hasher = Hasher()
    hasher.combine(question)
    hasher.combine(answer?.likened)
    return hasher.finalize()
  }
}

/// The texts of a tokenizer's special tokens.
struct SpecialTexts {
  private let byFirst: [Character: [String]]
  private let ending: String?, beginning: String?
  /// The text of the mask, which texts with masks have.
  private let mask: String?

  init(of tokenizer: any TextTokenizer) {
    let texts = (0..<Int32(tokenizer.vocabularySize)).lazy.filter(tokenizer.isSpecial).compactMap(tokenizer.text(of:)).filter { $0.count > 1 }
    byFirst = Dictionary(grouping: texts) { $0.first ?? " " }
    (ending, beginning) = (tokenizer.endOfSequenceText, tokenizer.beginningOfSequenceText)
    mask = tokenizer.maskID.flatMap(tokenizer.text(of:))
  }

  /// The first special token in a record's texts, but for an ending or a beginning where the encoder leaves it out itself.
  func first(in content: RecordContent) -> String? { content.texts.lazy.compactMap(first(in:)).first }

  private func first(in text: String) -> String? {
    var text = text[...]
    if let ending, !ending.isEmpty, text.hasSuffix(ending) { text = text.dropLast(ending.count) }
    if let beginning, !beginning.isEmpty, text.hasPrefix(beginning) { text = text.dropFirst(beginning.count) }
    for index in text.indices {
      guard let names = byFirst[text[index]] else { continue }
      if let name = names.first(where: { $0 != mask && text[index...].hasPrefix($0) }) { return name }
    }
    return nil
  }
}

/// The number of examples of each class.
struct LabelTable {
  private var counts: [String: Int] = [:]
  private var firsts: [String: DataFinding.Place] = [:]

  /// Counts the classes of a record.
  /// - Returns: their names.
  mutating func count(_ record: DataRecord, _ format: DataFormat, _ scheme: LabelScheme?, at place: DataFinding.Place) -> String? {
    guard format == .classification || format == .tokenClassification, let field = try? record.labelField() else { return nil }
    let names = (field.array ?? [field]).compactMap { LabelValue($0)?.className }
    // Numbers to predict are no classes.
    guard scheme?.problem != .regression else { return names.joined(separator: ", ") }
    for name in names {
      counts[name, default: 0] += 1
      if firsts[name] == nil { firsts[name] = place }
    }
    return names.joined(separator: ", ")
  }

  var sorted: [(name: String, count: Int)] { counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { ($0.key, $0.value) } }

  /// The classes of one example, where there are enough to compare.
  var single: [(String, DataFinding.Place)] {
    guard counts.values.contains(where: { $0 > 2 }) else { return [] }
    return counts.filter { $0.value == 1 }.keys.sorted().compactMap { name in firsts[name].map { (name, $0) } }
  }

  /// Words on classes of which the largest has nine tenths of the examples, or twenty times those of the smallest.
  var imbalance: String? {
    let order = sorted
    let total = order.reduce(0) { $0 + $1.count }
    guard total >= 20, order.count > 1, let most = order.first, let least = order.last else { return nil }
    guard 10 * most.count >= 9 * total || most.count >= 20 * least.count else { return nil }
    func words(_ entry: (name: String, count: Int)) -> String { "\"\(entry.name)\" has \(entry.count) of \(total)" }
    return "\(words(most)), \(words(least))"
  }
}

/// The sets of keys that records have.
struct KeyTable {
  private var sets: [[String]: (count: Int, places: [DataFinding.Place])] = [:]

  /// Counts the keys of a record, but for those that its format leaves open.
  mutating func count(_ record: DataRecord, _ format: DataFormat, at place: DataFinding.Place) {
    let keys = record.fields.keys.filter { !format.optional.contains($0) }.sorted()
    sets[keys, default: (0, [])].count += 1
    if let count = sets[keys]?.places.count, count < DataFinding.keptPlaces { sets[keys]?.places.append(place) }
  }

  /// The records whose keys fewer than one in ten records have, with words on the difference from those of most.
  var unusual: [(DataFinding.Place, String)] {
    guard let usual = sets.max(by: { ($0.value.count, $1.key.joined()) < ($1.value.count, $0.key.joined()) })?.key else { return [] }
    let total = sets.values.reduce(0) { $0 + $1.count }
    let others = sets.filter { $0.key != usual && 10 * $0.value.count <= total }.sorted { $0.key.joined() < $1.key.joined() }
    return others.flatMap { keys, found in
      let words = [Self.words("lacks", usual.filter { !keys.contains($0) }), Self.words("has", keys.filter { !usual.contains($0) })]
      return found.places.map { ($0, words.compactMap { $0 }.joined(separator: ", ")) }
    }
  }

  private static func words(_ verb: String, _ keys: [String]) -> String? {
    keys.isEmpty ? nil : "\(verb) \(keys.map { "\"\($0)\"" }.joined(separator: ", "))"
  }
}

extension RecordList {
  /// The records of a classification whose labels can be read.
  ///
  /// - Parameter isPerToken: true where every record has a list of labels, one for each of its tokens.
  public func labelled(isPerToken: Bool) -> RecordList {
    choosing((0..<count).filter { index in (try? self[index]).map { (try? LabelSurvey($0, isPerToken: isPerToken)) != nil } ?? false })
  }
}
