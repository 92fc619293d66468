/// How often each class was predicted for each.
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

  public var accuracy: Double { Double(hits) / Double(max(1, total)) }

  /// The mean over the classes that occur of the harmonic mean of precision and recall.
  public var macroF1: Double {
    let scores = counts.indices.compactMap { index -> Double? in
      let hit = counts[index][index], actual = counts[index].reduce(0, +), predicted = counts.reduce(0) { $0 + $1[index] }
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

public enum Metrics {
  /// Pearson's correlation; 0 where a side never varies.
  public static func pearson(_ x: [Double], _ y: [Double]) -> Double {
    let n = Double(max(1, x.count)), meanX = x.reduce(0, +) / n, meanY = y.reduce(0, +) / n
    var xy = 0.0, xx = 0.0, yy = 0.0
    for (a, b) in zip(x, y) {
      xy += (a - meanX) * (b - meanY)
      xx += (a - meanX) * (a - meanX)
      yy += (b - meanY) * (b - meanY)
    }
    return xx > 0 && yy > 0 ? xy / (xx * yy).squareRoot() : 0
  }
}
