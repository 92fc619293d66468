import GraftBatching

/// A look at data files before they are trained on: what they come to as examples, and what is odd about them.
public struct DataReview: Sendable {
  /// The records to train on, or those held out.
  public struct Part: Sendable {
    /// The files, in order.
    public var files: [String] = []
    /// The format of the records; nil where none can be read.
    public var format: DataFormat?
    /// The number of records, those that cannot be used among them.
    public var recordCount = 0
    /// The number of examples with something to learn.
    public var exampleCount = 0
    /// Their lengths, tokens and cuts.
    public var report = EncodingReport()
    /// The number of records whose end could be learned, and of those where it is.
    public var endCount = 0, trainedEndCount = 0
    /// The examples of each class, the commonest first; empty where there are no classes.
    public var labelCounts: [(name: String, count: Int)] = []
    /// Some examples as training sees them.
    public var shown: [ShownExample] = []

    /// A part without records.
    public init() {}
  }

  /// An example as training sees it, and its record's place.
  public struct ShownExample: Sendable {
    /// The place of the record.
    public var place: DataFinding.Place
    /// The tokens, with those that carry loss marked; cut as in training.
    public var example: EncodedExample
    /// The class of the record; nil where it has none.
    public var label: String?
  }

  /// The records to train on.
  public var train: Part
  /// The records held out; nil where there are none.
  public var held: Part?
  /// The findings, the gravest kind first.
  public var findings: [DataFinding]
  /// The most tokens of an example; nil where nothing is cut.
  public var maxLength: Int?

  /// True where training would end with an error at some record.
  public var isRefused: Bool { findings.contains { $0.kind.isFatal } }
}

extension DataReview.Part {
  /// The share of records that are longer than `length` tokens.
  public func share(longerThan length: Int) -> Double {
    let total = report.lengthCounts.values.reduce(0, +)
    let longer = report.lengthCounts.reduce(0) { $0 + ($1.key > length ? $1.value : 0) }
    return Double(longer) / Double(max(1, total))
  }

  /// The least `max_length` with which a share of the records is not cut.
  public func length(keeping share: Double) -> Int {
    let total = report.lengthCounts.values.reduce(0, +)
    var kept = 0
    for (length, count) in report.lengthCounts.sorted(by: { $0.key < $1.key }) {
      kept += count
      if Double(kept) >= share * Double(total) { return length }
    }
    return 0
  }

  /// The share of the commonest class, which always answering it would get right; nil where there are no classes.
  public var majorityShare: Double? {
    let total = labelCounts.reduce(0) { $0 + $1.count }
    return labelCounts.first.map { Double($0.count) / Double(max(1, total)) }
  }
}
