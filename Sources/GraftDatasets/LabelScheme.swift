import GraftBatching
import GraftJSON

/// What the labels of a classification task mean.
public enum LabelScheme: Sendable, Equatable {
  /// Names of classes with their indices.
  case classes([String: Int])
  /// Numbers to predict.
  case regression
}

extension LabelScheme {
  /// The classes of a model's own `id2label`, in order.
  public init(names: [String]) {
    self = .classes(Dictionary(names.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first }))
  }

  /// The classes that the records name, in alphabetical order (numbers in their own); numbers with fractions are to be
  /// predicted as they are.
  public static func inferred(from records: [DataRecord]) throws(DatasetError) -> LabelScheme {
    var names: Set<String> = []
    var integers: Set<Int> = []
    var hasFractions = false
    for record in records {
      guard let value = record.fields["label"] ?? record.fields["labels"] else { throw record.missing("label") }
      for value in value.array ?? [value] {
        switch value {
        case .string(let name): names.insert(name)
        case .integer(let index): integers.insert(index)
        case .number: hasFractions = true
        case .bool(let flag): names.insert(flag ? "true" : "false")
        default: throw record.wrongType("label", "a class or a number", value)
        }
      }
    }
    if hasFractions, names.isEmpty { return .regression }
    if names.isEmpty, let last = integers.max() { return LabelScheme(names: (0...max(last, 0)).map(String.init)) }
    return LabelScheme(names: (names.sorted() + integers.sorted().map(String.init)))
  }

  /// The names of the classes by index.
  public var names: [String] {
    guard case .classes(let indices) = self else { return [] }
    return indices.sorted { ($0.value, $0.key) < ($1.value, $1.key) }.map(\.key)
  }

  func label(of value: JSON, in record: DataRecord) throws(DatasetError) -> ExampleLabel {
    switch self {
    case .regression:
      if let number = value.double ?? value.string.flatMap(Double.init) { return .value(Float(number)) }
      throw record.wrongType("label", "a number", value)
    case .classes(let indices):
      let name = value.string ?? value.int.map(String.init) ?? value.bool.map { $0 ? "true" : "false" }
      guard let name else { throw record.wrongType("label", "a class", value) }
      if let index = indices[name] { return .class(index) }
      if let index = Int(name), indices.values.contains(index) { return .class(index) }
      throw record.error(
        "the model has no class \"\(name)\"",
        "use one of \(names.prefix(20).map { "\"\($0)\"" }.joined(separator: ", "))")
    }
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
