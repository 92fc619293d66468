import GraftBatching
import GraftReports
import GraftTensors

/// Advice on what is probably not meant, a sentence each; none on what is merely unusual.
package enum RunAdvice {
  /// Advice on 16-bit weights of a checkpoint that are kept as float32.
  ///
  /// - Parameters:
  ///   - storedBytes: those of the 16-bit weights in the checkpoint.
  ///   - format: theirs.
  /// - Returns: nil where less than 200 MB could be saved.
  package static func widening(storedBytes: Int, format: ElementFormat) -> String? {
    guard storedBytes >= 200_000_000 else { return nil }
    return "the checkpoint's \(format) weights are kept as float32, which takes \(Figure.bytes(2 * storedBytes)) instead of "
      + "\(Figure.bytes(storedBytes)); model.dtype: \(format) keeps them as they are"
  }

  /// Advice on a learning rate that is far from the method's own.
  ///
  /// - Parameters:
  ///   - usual: the method's own rate, which is one for AdamW.
  ///   - parameterCount: that of the base; small ones bear higher rates.
  package static func learningRate(_ rate: Double, usual: Double, method: String, parameterCount: Int) -> String? {
    let highest = usual * (parameterCount < 50_000_000 ? 200 : 20)
    guard rate > 0, rate > highest || rate < usual / 20 else { return nil }
    return "training.learning_rate: \(Figure.compact(rate)) is far \(rate > highest ? "above" : "below") \(Figure.compact(usual)), with which "
      + "\(method) usually starts"
  }

  /// Advice where more than half of the examples are cut.
  ///
  /// - Parameter keeping: the length that 95 % of them do not exceed.
  package static func cuts(_ count: Int, of total: Int, keeping length: Int) -> String? {
    2 * count > total ? "data.max_length: \(length) keeps 95 % of the examples whole" : nil
  }

  /// Advice on a loss that has not fallen.
  ///
  /// - Parameter losses: those of the log's lines, in order.
  /// - Returns: nil where there are fewer than 10, or the mean of the last fifth is at least 1 % below that of the first.
  package static func flatLoss(_ losses: [Double], learningRate: Double) -> String? {
    guard losses.count >= 10, losses.allSatisfy(\.isFinite) else { return nil }
    let count = losses.count / 5
    let (first, last) = (losses.prefix(count).reduce(0, +) / Double(count), losses.suffix(count).reduce(0, +) / Double(count))
    // A loss of next to nothing cannot fall.
    guard first > 0.01, last > 0.99 * first else { return nil }
    return "the training loss has not fallen (\(Figure.fixed(first, digits: 4)) at first, \(Figure.fixed(last, digits: 4)) at last); try another "
      + "training.learning_rate than \(Figure.compact(learningRate)), train for longer, or look at the data with: graft data"
  }

  /// Advice where a classifier is right as often as always answering the commonest class would be.
  ///
  /// - Parameters:
  ///   - classes: those of the held-out examples.
  ///   - names: by their numbers.
  package static func majority(accuracy: Double, classes: [Int], names: [String]) -> String? {
    let counts = classes.reduce(into: [Int: Int]()) { $0[$1, default: 0] += 1 }
    guard counts.count > 1, let most = counts.max(by: { ($0.value, $1.key) < ($1.value, $0.key) }) else { return nil }
    guard abs(accuracy - Double(most.value) / Double(classes.count)) < 1e-9 else { return nil }
    let name = names.indices.contains(most.key) ? names[most.key] : "\(most.key)"
    return "the accuracy of \(Figure.fixed(100 * accuracy, digits: 1)) % is that of always answering \"\(name)\"; train for longer, or with another "
      + "training.learning_rate"
  }
}

extension EncodedExample {
  /// The classes of the example: its own, or those of its tokens.
  var classes: [Int] {
    if case .class(let index) = label { return [index] }
    return (tokenLabels ?? []).filter { $0 != Batch.ignoredTarget }.map(Int.init)
  }
}
