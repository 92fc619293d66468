import GraftBatching
import GraftJSON

/// Goes through the records of a run as their encoding would, without ending at the first that it refuses.
public struct DataReviewer {
  private let encoder: ExampleEncoder
  private let shownCount: Int
  private let check: (EncodedExample, DataRecord) throws -> Void
  private let specials: SpecialTexts
  private var findings = FindingList()
  /// The places of the records to train on, by what they say and by what they ask.
  private var known = KnownRecords()

  /// The number of records that are encoded at once.
  private static let portion = 4096

  /// - Parameters:
  ///   - encoder: that of the run; a classifier's labels are in it, unless they cannot be told.
  ///   - shownCount: the number of examples to show of each part.
  ///   - check: throws for an example that the model has no table entries for.
  public init(_ encoder: ExampleEncoder, shownCount: Int = 3, check: @escaping (EncodedExample, DataRecord) throws -> Void = { _, _ in }) {
    (self.encoder, self.shownCount, self.check) = (encoder, shownCount, check)
    specials = SpecialTexts(of: encoder.tokenizer)
  }

  /// Reviews the records of a run.
  ///
  /// - Parameters:
  ///   - refused: what is wrong with the files as a whole, or with their labels.
  ///   - held: the records held out; empty where there are none.
  public mutating func review(train: RecordList, held: RecordList, refused: [DatasetError] = []) -> DataReview {
    for error in refused { findings.add(.unusable, at: Self.place(of: error, isHeldOut: false)) }
    let first = part(train, isHeldOut: false)
    let second = held.isEmpty ? nil : part(held, isHeldOut: true)
    return DataReview(train: first, held: second, findings: findings.all, maxLength: encoder.maxLength)
  }

  /// The state of going through a part.
  private struct Course {
    let isHeldOut: Bool
    /// The numbers of the records that are shown, where they can be; else of the next ones.
    let shownRecords: Set<Int>
    var encoder: ExampleEncoder
    var part = DataReview.Part()
    var shownSlots = 0
    var known = KnownRecords()
    var labels = LabelTable()
    var keys = KeyTable()
  }

  private mutating func part(_ records: RecordList, isHeldOut: Bool) -> DataReview.Part {
    let shown = (0..<shownCount).map { records.count * $0 / max(1, shownCount) }
    var course = Course(isHeldOut: isHeldOut, shownRecords: Set(shown), encoder: encoder)
    course.part.recordCount = records.count
    for start in stride(from: 0, to: records.count, by: Self.portion) {
      let range = start..<min(start + Self.portion, records.count)
      if course.part.format == nil, let found = Self.firstFormat(records, range, encoder) {
        (course.part.format, course.encoder.format) = (found, found)
      }
      for (index, outcome) in zip(range, course.encoder.encodeEach(records, range)) {
        if course.shownRecords.contains(index) { course.shownSlots += 1 }
        let file = records.file(of: index)
        if course.part.files.last != file, !course.part.files.contains(file) { course.part.files.append(file) }
        if let (record, examples) = take(outcome, file: file, isHeldOut: isHeldOut) { review(record, examples, &course) }
      }
    }
    for (place, words) in course.keys.unusual { findings.add(.otherKeys, at: place.saying(words)) }
    course.part.labelCounts = course.labels.sorted
    if !isHeldOut {
      known = course.known
      findings.add(course.labels, of: course.part.files.first)
    }
    return course.part
  }

  /// Reviews a record that can be read, with its examples before they are cut.
  private mutating func review(_ record: DataRecord, _ examples: [CutExample], _ course: inout Course) {
    guard let format = course.part.format else { return }
    let place = DataFinding.Place(file: record.file, line: record.isDocument ? nil : record.line, isHeldOut: course.isHeldOut)
    let kept = count(examples, of: record, course.encoder, at: place, in: &course.part)
    course.keys.count(record, format, at: place)
    guard let content = try? course.encoder.content(of: record, format) else { return }
    check(content, at: place, &course.known, isHeldOut: course.isHeldOut)
    let label = course.labels.count(record, format, course.encoder.labels, at: place)
    if course.part.shown.count < course.shownSlots, let example = kept.first {
      course.part.shown.append(DataReview.ShownExample(place: place, example: example, label: label))
    }
  }

  /// The format of the first record that has one.
  private static func firstFormat(_ records: RecordList, _ range: Range<Int>, _ encoder: ExampleEncoder) -> DataFormat? {
    range.lazy.compactMap { index in (try? records[index]).flatMap { try? encoder.format(of: $0) } }.first
  }

  /// The record and its examples; nil where it is refused, which is noted.
  private mutating func take(
    _ outcome: Result<(record: DataRecord, examples: [CutExample]), any Error>, file: String, isHeldOut: Bool
  ) -> (DataRecord, [CutExample])? {
    do {
      let (record, examples) = try outcome.get()
      for example in examples { try check(encoder.maxLength.map { example.example.cut(to: $0) } ?? example.example, record) }
      return (record, examples)
    } catch {
      findings.add(.unusable, at: (error as? DatasetError).map { Self.place(of: $0, isHeldOut: isHeldOut) } ?? Self.place(in: file, error, isHeldOut))
      return nil
    }
  }

  /// The place of an error that names it in its words.
  private static func place(in file: String, _ error: any Error, _ isHeldOut: Bool) -> DataFinding.Place {
    let words = "\(error)"
    guard words.hasPrefix(file + ":"), let (_, number, rest) = words.dropFirst(file.count).firstMatch(of: /^:([0-9]+): (.*)$/)?.output else {
      return DataFinding.Place(file: file, line: nil, detail: words, isHeldOut: isHeldOut)
    }
    return DataFinding.Place(file: file, line: Int(number), detail: String(rest), isHeldOut: isHeldOut)
  }

  private static func place(of error: DatasetError, isHeldOut: Bool) -> DataFinding.Place {
    DataFinding.Place(file: error.file ?? "data", line: error.line, detail: "\(error.problem); \(error.advice)", isHeldOut: isHeldOut)
  }

  /// Counts the examples of a record as training keeps them.
  private mutating func count(
    _ whole: [CutExample], of record: DataRecord, _ encoder: ExampleEncoder, at place: DataFinding.Place, in part: inout DataReview.Part
  ) -> [EncodedExample] {
    let before = part.report
    let kept = encoder.kept(whole, isDocument: record.isDocument, report: &part.report)
    part.report.recordCount += 1
    part.exampleCount += kept.count
    if part.report.truncatedCount > before.truncatedCount {
      findings.add(.cut, at: place.saying("\(whole.map(\.wholeLength).max() ?? 0) tokens"))
    }
    if kept.isEmpty { findings.add(.withoutLoss, at: place) }
    if let last = kept.last, encoder.learnsEnds {
      part.endCount += 1
      if encoder.endIsTrained(in: last) { part.trainedEndCount += 1 } else { findings.add(.endNotTrained, at: place) }
    }
    return kept
  }

  /// Checks the texts of a record, and compares them with those before.
  private mutating func check(_ content: RecordContent, at place: DataFinding.Place, _ own: inout KnownRecords, isHeldOut: Bool) {
    if let words = content.question.emptiness { findings.add(.emptyPrompt, at: place.saying(words)) }
    if content.needsAnswer, let words = content.answer?.emptiness { findings.add(.emptyAnswer, at: place.saying(words)) }
    if let words = content.roleFault { findings.add(.roleOrder, at: place.saying(words)) }
    if let words = content.texts.lazy.compactMap(TextDamage.first(in:)).first { findings.add(.damagedText, at: place.saying(words)) }
    if let name = specials.first(in: content) { findings.add(.specialToken, at: place.saying("\"\(name)\"")) }
    switch own.take(content, at: place) {
    case .repeated(let other): findings.add(.duplicate, at: place.saying("as \(other.name)"))
    case .answeredOtherwise(let other): findings.add(.conflict, at: place.saying("as \(other.name) asks"))
    case nil: break
    }
    guard isHeldOut else { return }
    switch known.find(content) {
    case .repeated(let other): findings.add(.leak, at: place.saying("as \(other.name)"))
    case .answeredOtherwise(let other): findings.add(.leak, at: place.saying("the prompt of \(other.name)"))
    case nil: break
    }
  }
}

extension DataFinding.Place {
  fileprivate func saying(_ detail: String) -> DataFinding.Place {
    var copy = self
    copy.detail = detail
    return copy
  }
}

extension ExampleEncoder {
  /// True where an example should end with a token to learn that says so.
  fileprivate var learnsEnds: Bool { (task == .causalLM || task == .seq2seqLM) && tokenizer.endOfSequenceText?.isEmpty == false }

  /// True where one of the last tokens, behind which a template may still break the line, is special and carries loss.
  fileprivate func endIsTrained(in example: EncodedExample) -> Bool {
    let ending = tokenizer.endOfSequenceText.flatMap(tokenizer.id(for:))
    return example.tokens.indices.suffix(3).contains { index in
      example.isScored[index] && (example.tokens[index] == ending || tokenizer.isSpecial(example.tokens[index]))
    }
  }
}

extension FindingList {
  /// Adds what is to be said of the balance of classes.
  fileprivate mutating func add(_ labels: LabelTable, of file: String?) {
    for (name, place) in labels.single { add(.rareLabel, at: place.saying("\"\(name)\"")) }
    guard let words = labels.imbalance, let file else { return }
    add(.unbalanced, at: DataFinding.Place(file: file, line: nil, detail: words))
  }
}
