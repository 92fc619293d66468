/// The confusion matrix of a classification.
public struct ConfusionTable: Sendable, Equatable {
  /// `counts[actual][predicted]`.
  public let counts: [[Int]]

  /// - Precondition: as many predictions as actual classes, none negative.
  public init(predicted: [Int], actual: [Int]) {
    precondition(predicted.count == actual.count, "\(predicted.count) predictions for \(actual.count) labels")
    let classes = (max(predicted.max() ?? 0, actual.max() ?? 0)) + 1
    var counts = Array(repeating: Array(repeating: 0, count: classes), count: classes)
    for (p, a) in zip(predicted, actual) { counts[a][p] += 1 }
    self.counts = counts
  }

  private var total: Int { counts.reduce(0) { $0 + $1.reduce(0, +) } }
  private var hits: Int { counts.indices.reduce(0) { $0 + counts[$1][$1] } }

  /// The share of right predictions.
  public var accuracy: Double { Double(hits) / Double(max(1, total)) }

  /// The mean over the classes that occur of the harmonic mean of precision and recall.
  public var macroF1: Double {
    let scores = counts.indices.compactMap { index -> Double? in
      let hit = counts[index][index]
      let actual = counts[index].reduce(0, +)
      let predicted = counts.reduce(0) { $0 + $1[index] }
      return actual + predicted == 0 ? nil : 2 * Double(hit) / Double(actual + predicted)
    }
    return scores.reduce(0, +) / Double(max(1, scores.count))
  }

  /// Matthews' correlation for any number of classes (Gorodkin 2004, eq. 8); 0 where a side never varies.
  public var matthewsCorrelation: Double {
    let actual = counts.map { Double($0.reduce(0, +)) }
    let predicted = counts.indices.map { index in Double(counts.reduce(0) { $0 + $1[index] }) }
    let n = Double(total)
    let covariance = Double(hits) * n - zip(actual, predicted).reduce(0) { $0 + $1.0 * $1.1 }
    let spread = { (marginal: [Double]) in n * n - marginal.reduce(0) { $0 + $1 * $1 } }
    let product = spread(actual) * spread(predicted)
    return product > 0 ? covariance / product.squareRoot() : 0
  }
}

/// The counts of a multi-label classification, and the metrics that follow from them.
public struct MultiLabelTable: Sendable, Equatable {
  /// For every class: examples that have it and were said to, were said to only, and have it only.
  private var hits: [Int], extras: [Int], misses: [Int]
  private var exactCount = 0
  /// The number of examples counted.
  public private(set) var exampleCount = 0

  /// A table without counts.
  public init(classes: Int) {
    hits = Array(repeating: 0, count: classes)
    (extras, misses) = (hits, hits)
  }

  /// Counts one example.
  public mutating func count(predicted: Set<Int>, actual: Set<Int>) {
    for index in predicted { if actual.contains(index) { hits[index] += 1 } else { extras[index] += 1 } }
    for index in actual.subtracting(predicted) { misses[index] += 1 }
    exactCount += predicted == actual ? 1 : 0
    exampleCount += 1
  }

  /// The share of examples of which every class was told right.
  public var subsetAccuracy: Double { Double(exactCount) / Double(max(1, exampleCount)) }

  /// The harmonic mean of precision and recall over all decisions together.
  public var microF1: Double { Self.f1(hits.reduce(0, +), extras.reduce(0, +), misses.reduce(0, +)) }

  /// The mean over all classes of the harmonic mean of precision and recall; 0 for a class that never occurs.
  public var macroF1: Double {
    hits.indices.reduce(0.0) { $0 + Self.f1(hits[$1], extras[$1], misses[$1]) } / Double(max(1, hits.count))
  }

  private static func f1(_ hits: Int, _ extras: Int, _ misses: Int) -> Double {
    hits == 0 ? 0 : 2 * Double(hits) / Double(2 * hits + extras + misses)
  }
}

/// Metrics of predicted values.
public enum Metrics {
  /// Spearman's correlation: Pearson's of the ranks, equal values sharing the mean of theirs.
  public static func spearman(_ x: [Double], _ y: [Double]) -> Double { pearson(ranks(x), ranks(y)) }

  private static func ranks(_ values: [Double]) -> [Double] {
    let order = values.indices.sorted { values[$0] < values[$1] }
    var ranks = Array(repeating: 0.0, count: values.count)
    var start = 0
    while start < order.count {
      let tied = values[order[start]]
      let end = order[start...].firstIndex { values[$0] != tied } ?? order.count
      let mean = Double(start + end - 1) / 2
      for place in start..<end { ranks[order[place]] = mean }
      start = end
    }
    return ranks
  }

  /// Pearson's correlation; 0 where a side never varies.
  public static func pearson(_ x: [Double], _ y: [Double]) -> Double {
    let n = Double(max(1, x.count))
    let meanX = x.reduce(0, +) / n
    let meanY = y.reduce(0, +) / n
    var xy = 0.0
    var xx = 0.0
    var yy = 0.0
    for (a, b) in zip(x, y) {
      xy += (a - meanX) * (b - meanY)
      xx += (a - meanX) * (a - meanX)
      yy += (b - meanY) * (b - meanY)
    }
    return xx > 0 && yy > 0 ? xy / (xx * yy).squareRoot() : 0
  }
}
