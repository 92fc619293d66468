import GraftJSON

/// A report on the encoding of a dataset's records.
public struct EncodingReport: Sendable, Equatable {
  /// Records read.
  public var recordCount = 0
  /// Examples that were longer than allowed and lost their end.
  public var truncatedCount = 0
  /// Masks, with the words behind them, that were lost where their texts were cut.
  public var lostMaskCount = 0
  /// Examples without any token left to learn from.
  public var droppedCount = 0
  /// Texts that were cut into windows.
  public var cutTextCount = 0
  /// Tokens of all examples.
  public var tokenCount = 0
  /// Tokens whose prediction carries loss.
  public var scoredTokenCount = 0
  /// The number of records of each length in tokens, before anything was cut.
  public var lengthCounts: [Int: Int] = [:]

  /// A report of nothing.
  public init() {}

  /// The length of the longest record; 0 where there is none.
  public var longest: Int { lengthCounts.keys.max() ?? 0 }

  /// The length that `share` of the records do not exceed.
  public func length(atQuantile share: Double) -> Int {
    let total = lengthCounts.values.reduce(0, +)
    var left = min(total - 1, Int(share * Double(total)))
    for (length, count) in lengthCounts.sorted(by: { $0.key < $1.key }) {
      if left < count { return length }
      left -= count
    }
    return 0
  }
}

/// The report beside the tokens of a file.
extension EncodingReport {
  private static let counters: [(name: String, path: WritableKeyPath<EncodingReport, Int> & Sendable)] = [
    ("records", \.recordCount), ("truncated", \.truncatedCount), ("lost_masks", \.lostMaskCount), ("dropped", \.droppedCount),
    ("cut_texts", \.cutTextCount), ("tokens", \.tokenCount), ("scored_tokens", \.scoredTokenCount),
  ]

  var json: JSON {
    var fields = JSONObject(Self.counters.map { ($0.name, .integer(self[keyPath: $0.path])) })
    fields["lengths"] = .array(lengthCounts.sorted { $0.key < $1.key }.map { .array([.integer($0.key), .integer($0.value)]) })
    return .object(fields)
  }

  init?(_ json: JSON?) {
    guard let json, let lengths = json["lengths"]?.array else { return nil }
    for counter in Self.counters {
      guard let value = json[counter.name]?.int else { return nil }
      self[keyPath: counter.path] = value
    }
    for entry in lengths {
      guard let length = entry[0]?.int, let count = entry[1]?.int else { return nil }
      lengthCounts[length] = count
    }
  }
}
