import GraftBatching
import GraftJSON

/// The labels of a classification: what they are, and the name of every output of the model.
public struct LabelScheme: Sendable, Equatable {
  /// The kind of labels.
  public let problem: ClassificationProblem
  /// One for each output.
  public let names: [String]
  /// True where lists of labels say of every class in turn whether it applies, instead of naming those that do.
  public var isMultiHot: Bool
  private let indices: [String: Int]
  /// True where a number among the labels may be a class's index: not where classes are called by numbers.
  private let countsClasses: Bool

  /// - Parameters:
  ///   - names: the names of the outputs, in order.
  ///   - isMultiHot: true where a record has a number for each name.
  public init(names: [String], problem: ClassificationProblem = .singleLabel, isMultiHot: Bool = false) {
    self.problem = problem
    self.names = names
    self.isMultiHot = isMultiHot
    indices = Dictionary(names.enumerated().map { ($1, $0) }) { first, _ in first }
    countsClasses = !names.contains { Int($0) != nil }
  }

  /// A number to predict.
  public static let regression = LabelScheme(count: 1, problem: .regression)

  /// Outputs without names of their own.
  public init(count: Int, problem: ClassificationProblem) {
    self.init(names: Self.placeholders(count), problem: problem)
  }

  /// The names that Transformers gives to outputs without names.
  public static func placeholders(_ count: Int) -> [String] { (0..<count).map { "LABEL_\($0)" } }

  /// The class that a label is, by its name or else by its place; nil where there is none.
  func index(of value: LabelValue) -> Int? {
    if let index = value.className.flatMap({ indices[$0] }) { return index }
    guard countsClasses, let place = value.int, names.indices.contains(place) else { return nil }
    return place
  }

  /// The label of a record.
  ///
  /// - Throws: `DatasetError` for one that is missing, of another type, or no class of the model.
  func label(of value: JSON, in record: DataRecord) throws(DatasetError) -> ExampleLabel {
    switch problem {
    case .singleLabel: .class(try index(of: value, in: record))
    case .multiLabel: .classes(try members(of: value, in: record))
    case .regression: try numbers(of: value, in: record)
    }
  }

  /// Returns the label that a model's outputs for a text stand for: the name of a class, a list of names, a number or a list of numbers.
  public func label(for logits: [Float]) -> JSON {
    switch problem {
    case .singleLabel: logits.indices.max { logits[$0] < logits[$1] }.map { .string(names[$0]) } ?? .null
    case .multiLabel: .array(logits.indices.filter { logits[$0] > 0 }.map { .string(names[$0]) })
    case .regression: logits.count == 1 ? .number(Double(logits[0])) : .array(logits.map { .number(Double($0)) })
    }
  }

  private func index(of value: JSON, in record: DataRecord) throws(DatasetError) -> Int {
    if let index = value.string.flatMap({ indices[$0] }) { return index }
    guard let label = LabelValue(value) else { throw record.wrongType(record.labelColumn, "a class", value) }
    guard let name = label.className else { throw record.missingLabel() }
    if let index = index(of: label) { return index }
    throw record.error(
      "the model has no class \"\(name)\"", "use one of \(names.prefix(20).map { "\"\($0)\"" }.joined(separator: ", "))")
  }

  private func members(of value: JSON, in record: DataRecord) throws(DatasetError) -> Set<Int> {
    var members: Set<Int> = []
    guard let list = value.array else { return [try index(of: value, in: record)] }
    guard isMultiHot else {
      for element in list { members.insert(try index(of: element, in: record)) }
      return members
    }
    guard list.count == names.count else {
      throw record.error("the label has \(list.count) entries, the model \(names.count) classes", "write 0 or 1 for each class")
    }
    for (index, element) in list.enumerated() where element.bool ?? (element.double != 0) { members.insert(index) }
    return members
  }

  private func numbers(of value: JSON, in record: DataRecord) throws(DatasetError) -> ExampleLabel {
    var numbers: [Float] = []
    for element in value.array ?? [value] {
      guard let label = LabelValue(element), label != .missing else {
        throw element.isNull || element.string != nil ? record.missingLabel() : record.wrongType(record.labelColumn, "a number", element)
      }
      guard let number = label.double else { throw record.wrongType(record.labelColumn, "a number", element) }
      numbers.append(Float(number))
    }
    guard numbers.count == names.count else {
      throw record.error("the label has \(numbers.count) numbers, the model \(names.count)", "give as many as the model predicts")
    }
    return numbers.count == 1 ? .value(numbers[0]) : .values(numbers)
  }
}

extension LabelScheme? {
  /// Without names, labels are indices.
  var orIndices: LabelIndices { LabelIndices(scheme: self) }
}

/// A label scheme, or plain indices where there is none.
struct LabelIndices {
  var scheme: LabelScheme?

  func label(of value: JSON, in record: DataRecord) throws(DatasetError) -> ExampleLabel {
    if let scheme { return try scheme.label(of: value, in: record) }
    guard let index = value.int ?? value.string.flatMap(Int.init), index >= 0 else {
      throw record.wrongType("label", "the index of a class", value)
    }
    return .class(index)
  }
}
