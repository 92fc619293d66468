import GraftBatching

/// The settings of labels before the data is read; what is nil is told from the data.
public struct LabelSettings: Sendable, Equatable {
  /// The kind of labels.
  public var problem: ClassificationProblem?
  /// The number of outputs.
  public var count: Int?
  /// The names of the outputs, in order.
  public var names: [String]?
  /// The checkpoint's own labels, which hold where the data agrees.
  public var checkpoint = CheckpointLabels()

  /// Settings that leave everything to the data, unless something is given.
  public init(problem: ClassificationProblem? = nil, count: Int? = nil, names: [String]? = nil, checkpoint: CheckpointLabels = CheckpointLabels()) {
    (self.problem, self.count, self.names, self.checkpoint) = (problem, count, names, checkpoint)
  }
}

/// The labels of a checkpoint's configuration.
public struct CheckpointLabels: Sendable, Equatable {
  /// The names of the outputs, in order; empty where the checkpoint has none.
  public var names: [String]
  /// The kind of labels, where the checkpoint says.
  public var problem: ClassificationProblem?

  /// The labels of a checkpoint; by default none.
  public init(names: [String] = [], problem: ClassificationProblem? = nil) { (self.names, self.problem) = (names, problem) }
}

/// The labels of a dataset, and in one line where that was told from.
public struct DecidedLabels: Sendable, Equatable {
  /// The labels.
  public var scheme: LabelScheme
  /// Nil where nothing was inferred.
  public var note: String?
}

extension LabelSettings {
  /// The labels of `records`: what the settings say, else what the checkpoint says where the data fits it, else what the data holds.
  ///
  /// - Parameter isPerToken: true where every token has a label.
  /// - Throws: `DatasetError` where data and settings contradict each other, or there is one class only.
  public func decided(for records: [DataRecord], isPerToken: Bool) throws -> DecidedLabels {
    try decided(for: RecordList(records), isPerToken: isPerToken)
  }

  /// The labels of records that need not be in memory.
  ///
  /// - Throws: as for those that are, and `FileError` where reading fails.
  public func decided(for records: RecordList, isPerToken: Bool) throws -> DecidedLabels {
    let survey = try LabelSurvey(records, isPerToken: isPerToken)
    let file = records.isEmpty ? nil : records.file(of: 0)
    if problem == nil || problem == .regression, names == nil { try survey.requireOneKind() }
    if isPerToken, survey.hasFractions {
      throw DatasetError(file: file, problem: "the label of a token must be a class, not a number with a fraction", advice: "name the classes")
    }
    let problem = isPerToken ? .singleLabel : self.problem ?? inferredProblem(survey)
    if problem != .multiLabel, problem != .regression, survey.hasLists {
      throw DatasetError(
        file: file, problem: "records have lists of labels, which \(problem.rawValue) does not",
        advice: "give one label each, or set data.problem_type: multi_label_classification")
    }
    if problem == .regression { return try regression(survey, file) }
    return try classes(survey, problem, file)
  }

  private func inferredProblem(_ survey: LabelSurvey) -> ClassificationProblem {
    let isRegression = checkpoint.problem == .regression && survey.isNumeric
    if names != nil { return survey.hasLists ? .multiLabel : .singleLabel }
    if count == 1 || isRegression { return .regression }
    if survey.hasLists { return .multiLabel }
    if survey.isNumeric, survey.hasFractions { return .regression }
    let own = LabelScheme(names: checkpoint.names, problem: .multiLabel)
    return checkpoint.problem == .multiLabel && survey.fits(own) ? .multiLabel : .singleLabel
  }

  private func regression(_ survey: LabelSurvey, _ file: String?) throws(DatasetError) -> DecidedLabels {
    guard survey.isNumeric, !survey.hasLists || survey.listLength != nil else {
      throw DatasetError(
        file: file,
        problem: survey.isNumeric ? "the lists of numbers differ in length" : "labels that are no numbers cannot be predicted by regression",
        advice: "correct the labels, or set data.problem_type: single_label_classification")
    }
    let outputs = count ?? survey.listLength ?? 1
    let own = checkpoint.names.count == outputs ? checkpoint.names : LabelScheme.placeholders(outputs)
    let scheme = LabelScheme(names: own, problem: .regression)
    guard problem == nil, count != 1 else { return DecidedLabels(scheme: scheme) }
    let range = survey.range.map { " from \(Self.short($0.lowerBound)) to \(Self.short($0.upperBound))" } ?? ""
    return DecidedLabels(
      scheme: scheme, note: "labels: numbers\(range), learned by regression; for classes set data.problem_type: single_label_classification")
  }

  private func classes(_ survey: LabelSurvey, _ problem: ClassificationProblem, _ file: String?) throws(DatasetError) -> DecidedLabels {
    func scheme(_ names: [String]) -> LabelScheme {
      LabelScheme(names: names, problem: problem, isMultiHot: problem == .multiLabel && survey.isMultiHot(count: names.count))
    }
    if let names {
      return DecidedLabels(scheme: scheme(names))
    }
    let own = scheme(checkpoint.names)
    let fits = survey.fits(own) || own.isMultiHot
    if !own.names.isEmpty, fits, count == nil || count == own.names.count, own.names.count > 1 || problem == .multiLabel {
      return DecidedLabels(scheme: own, note: "labels: the checkpoint's \(Self.listed(own.names, problem))")
    }
    let found = try numbered(survey, problem, file)
    guard found.count > 1 || problem == .multiLabel else {
      throw DatasetError(
        file: file, problem: "every label is \"\(found.first ?? "")\", so there is nothing to tell apart",
        advice: "name all classes in data.labels, or set data.problem_type: regression")
    }
    let instead =
      own.names.isEmpty || own.names == LabelScheme.placeholders(own.names.count)
      ? "" : " (not the checkpoint's \(own.names.prefix(3).joined(separator: ", ")))"
    return DecidedLabels(scheme: scheme(found), note: "labels: \(Self.listed(found, problem)), told from the data\(instead)")
  }

  /// The classes that the data holds, as many as there are to be.
  private func numbered(_ survey: LabelSurvey, _ problem: ClassificationProblem, _ file: String?) throws(DatasetError) -> [String] {
    if problem == .multiLabel, survey.isMultiHot(count: count), let length = survey.listLength { return (0..<length).map(String.init) }
    let found = survey.classes
    guard let count, count != found.count else { return found }
    if let largest = survey.largestIndex, largest < count { return (0..<count).map(String.init) }
    throw DatasetError(
      file: file, problem: "data.num_labels is \(count), but the data names \(found.count) classes: \(found.prefix(20).joined(separator: ", "))",
      advice: "correct it, or list all classes in data.labels")
  }

  private static func listed(_ names: [String], _ problem: ClassificationProblem) -> String {
    let shown = names.prefix(12).joined(separator: ", ") + (names.count > 12 ? ", ..." : "")
    return "\(names.count) classes\(problem == .multiLabel ? ", any number of them a text" : "") (\(shown))"
  }

  private static func short(_ number: Double) -> String { Int(exactly: number).map(String.init) ?? String(number) }
}

extension LabelScheme {
  /// The scheme as `records` write it: lists of labels may name classes, or say of each whether it applies.
  ///
  /// - Throws: `DatasetError` for a record without a label.
  public func reading(_ records: [DataRecord]) throws -> LabelScheme {
    guard problem == .multiLabel else { return self }
    var scheme = self
    scheme.isMultiHot = try LabelSurvey(RecordList(records), isPerToken: false).isMultiHot(count: names.count)
    return scheme
  }
}
