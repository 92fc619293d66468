import CKernels

/// The departures of a cross-entropy from the plain negative log-likelihood of its targets.
public struct CrossEntropyOptions: Sendable, Hashable {
  /// The share of every target's probability that is spread evenly over all classes (Szegedy et al. 2016, section 7).
  public var smoothing: Float
  /// Times which each class counts; nil counts all of them once.
  public var classWeights: [Float]?

  /// - Parameter classWeights: one for each class; nil counts all the same.
  public init(smoothing: Float = 0, classWeights: [Float]? = nil) {
    (self.smoothing, self.classWeights) = (smoothing, classWeights)
  }

  /// The loss of a row of logits, which become their slopes times a scale.
  /// - Parameter classes: how many there are.
  func rowLoss(classes: Int) -> (_ logits: UnsafeMutablePointer<Float>, _ target: Int32, _ scale: Float) -> Float {
    guard smoothing != 0 || classWeights != nil else {
      return { graft_cross_entropy_row($0, Int($1), $2, classes) }
    }
    precondition(classWeights?.count ?? classes == classes, "\(classWeights?.count ?? 0) weights for \(classes) classes")
    let weights = classWeights.map { Tensor($0) }
    let smoothing = smoothing
    return { graft_smoothed_cross_entropy_row($0, Int($1), $2, smoothing, weights?.pointer, classes) }
  }
}
