import GraftJSON

/// A survey of the labels of a dataset, all records together.
struct LabelSurvey {
  /// True where a record has a list of labels, not one.
  private(set) var hasLists = false
  private var integers: Set<Int> = []
  private var numbers: Set<Double> = []
  private var texts: [String: DataRecord] = [:]
  /// The length that all lists share; nil where they differ, or there are none.
  private(set) var listLength: Int?
  /// True where every element of every list is 0, 1, true or false.
  private var areListsBinary = true

  /// - Parameter isPerToken: true where every record has a list of labels, one for each of its tokens.
  /// - Throws: `DatasetError` for a record without a label, or with one that is neither text nor number.
  init(_ records: RecordList, isPerToken: Bool) throws {
    for index in 0..<records.count { try count(try records[index], isPerToken: isPerToken) }
    if !hasLists { areListsBinary = false }
  }

  /// The survey of a single record.
  init(_ record: DataRecord, isPerToken: Bool) throws { try count(record, isPerToken: isPerToken) }

  private mutating func count(_ record: DataRecord, isPerToken: Bool) throws(DatasetError) {
    let field = try record.labelField()
    if let list = field.array, !isPerToken { countList(list) }
    for value in field.array ?? [field] {
      switch LabelValue(value) {
      case .integer(let integer): integers.insert(integer)
      case .number(let number): numbers.insert(number)
      case .text(let text): if texts[text] == nil { texts[text] = record }
      case .missing: throw record.missingLabel()
      case nil: throw record.wrongType(record.labelColumn, "a class or a number", value)
      }
    }
  }

  private mutating func countList(_ list: [JSON]) {
    listLength = hasLists && listLength != list.count ? nil : list.count
    hasLists = true
    areListsBinary = areListsBinary && list.allSatisfy { $0.bool != nil || $0.double == 0 || $0.double == 1 }
  }

  /// A cell that is missing, or misspelt, among numbers is not one more class.
  /// - Throws: `DatasetError` that names the first.
  func requireOneKind() throws(DatasetError) {
    guard !(integers.isEmpty && numbers.isEmpty) else { return }
    let markers = texts.filter { LabelValue.missingMarkers.contains($0.key) }
    if markers.count == texts.count, let (marker, record) = markers.min(by: { $0.value.line < $1.value.line }) {
      throw record.error("the label \"\(marker)\" stands for a missing number", "write the number, or leave the record out")
    }
    if !numbers.isEmpty, let (text, record) = texts.min(by: { $0.value.line < $1.value.line }) {
      throw record.error("the label \"\(text)\" is no number, though others are", "correct it, or set data.problem_type: single_label_classification")
    }
  }

  /// True where there are numbers only.
  var isNumeric: Bool { texts.isEmpty }
  /// True where there are numbers that are written as such, with a point or an exponent.
  var hasFractions: Bool { !numbers.isEmpty }

  /// The smallest and the largest number.
  var range: ClosedRange<Double>? {
    let all = numbers.union(integers.map(Double.init))
    guard let least = all.min(), let largest = all.max() else { return nil }
    return least...largest
  }

  /// Returns true where the lists say of every one of `count` classes whether it applies; of as many as they are long where nil.
  func isMultiHot(count: Int?) -> Bool {
    guard areListsBinary, let listLength, listLength > 1 else { return false }
    return count.map { $0 == listLength } ?? true
  }

  /// The names that occur, numbers in their order before texts in theirs.
  private var names: [String] {
    let values = numbers.map(LabelValue.number) + integers.map(LabelValue.integer)
    let ordered = values.sorted { ($0.double ?? 0) < ($1.double ?? 0) }.compactMap(\.className)
    return ordered.reduce(into: []) { if $0.last != $1 { $0.append($1) } } + texts.keys.sorted()
  }

  /// The classes that the labels name: all from 0 on where they count them, else those that occur.
  var classes: [String] {
    let whole = numbers.isEmpty ? integers : integers.union(numbers.compactMap { Int(exactly: $0) })
    let isWhole = texts.isEmpty && numbers.allSatisfy { Int(exactly: $0) != nil }
    guard isWhole, let least = whole.min(), let largest = whole.max(), least == 0, largest <= 2 * (whole.count - 1) else { return names }
    return (0...largest).map(String.init)
  }

  /// Returns true where all labels are classes of `scheme`, by their names or their numbers.
  func fits(_ scheme: LabelScheme) -> Bool {
    texts.keys.allSatisfy { scheme.index(of: .text($0)) != nil } && integers.allSatisfy { scheme.index(of: .integer($0)) != nil }
      && numbers.allSatisfy { scheme.index(of: .number($0)) != nil }
  }

  /// The largest label, where all count classes.
  var largestIndex: Int? {
    guard texts.isEmpty, numbers.allSatisfy({ Int(exactly: $0) != nil }) else { return nil }
    let whole = integers.union(numbers.compactMap { Int(exactly: $0) })
    return whole.allSatisfy { $0 >= 0 } ? whole.max() : nil
  }
}
