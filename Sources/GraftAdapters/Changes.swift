import GraftLayers
import GraftTensors

/// A parameter of the base that a delta has values of its own for.
final class AdoptedParameter {
  /// The key under which the values are stored.
  let key: String
  let parameter: Parameter
  private let isTrained: Bool
  private var values: Tensor
  private var original: (weight: Weight, isTrainable: Bool)?

  /// - Parameter isTrained: true where the values are to be trained while they are in place.
  init(key: String, _ parameter: Parameter, values: Tensor, isTrained: Bool) {
    (self.key, self.parameter, self.values, self.isTrained) = (key, parameter, values, isTrained)
  }

  /// The delta's values, in place or not.
  var current: Tensor { original == nil ? values : parameter.value }

  /// The base's own values, whichever are in place.
  var base: Tensor { (original?.weight ?? parameter.stored).tensor }

  /// The difference from the base's own values, which are in place.
  var change: Tensor { values.converted(to: .float32) - parameter.dense() }

  /// The distance of the values from the base's own, whichever are in place.
  var changeNorm: Double {
    (current.converted(to: .float32) - base.converted(to: .float32)).sumOfSquares.squareRoot()
  }

  func put() {
    guard original == nil else { return }
    original = (parameter.stored, parameter.isTrainable)
    if isTrained { parameter.isTrainable = true }
    parameter.assign(values)
  }

  func takeBack() {
    guard let original else { return }
    values = parameter.value
    parameter.isTrainable = original.isTrainable
    parameter.assign(original.weight)
    self.original = nil
  }
}

/// A frozen weight of the base that a delta was trained over in another form.
final class ReplacedWeight {
  let parameter: Parameter
  let weight: Weight
  private var original: Weight?

  init(_ parameter: Parameter, by weight: Weight) { (self.parameter, self.weight) = (parameter, weight) }

  func put() {
    guard original == nil else { return }
    original = parameter.stored
    parameter.assign(weight)
  }

  func takeBack() {
    if let original { parameter.assign(original) }
    original = nil
  }

  /// Makes it the base's own, in a form that sums can be added to.
  func settle() { parameter.assign(weight.dense()) }
}

/// The changes of a delta to a base: slots filled and parameters replaced, which can be done and undone any number of times.
final class Changes {
  private(set) var seams: [Seam] = []
  private(set) var adopted: [AdoptedParameter] = []
  private(set) var replaced: [ReplacedWeight] = []
  /// Heads that have a matrix of their own while the changes are in place.
  private(set) var untied: [(head: Linear, sites: SiteCatalog)] = []
  private(set) var isInPlace = false
  /// The base's weights before the changes were folded into them.
  private var unmerged: [(parameter: Parameter, weight: Weight)]?

  var isMerged: Bool { unmerged != nil }

  /// Makes one more change, at once.
  /// - Throws: `TuningError` where the slot is taken.
  func add(_ seam: Seam) throws(TuningError) {
    guard seam.isFree else { throw Self.taken(seam) }
    seams.append(seam)
    seam.fill()
    isInPlace = true
  }

  /// Gives a head a matrix of its own, at once.
  func untie(_ head: Linear, of sites: SiteCatalog) {
    guard !head.ownsWeight else { return }
    untied.append((head, sites))
    sites.untie(head)
    isInPlace = true
  }

  func add(_ replacement: ReplacedWeight) {
    replaced.append(replacement)
    replacement.put()
    isInPlace = true
  }

  func add(_ adoption: AdoptedParameter) {
    adopted.append(adoption)
    adoption.put()
    isInPlace = true
  }

  /// Takes changes that `attach` will make.
  func hold(
    _ seams: [Seam], _ adopted: [AdoptedParameter], replaced: [ReplacedWeight] = [], untied: [(head: Linear, sites: SiteCatalog)] = []
  ) {
    self.replaced += replaced
    self.seams += seams
    self.adopted += adopted
    self.untied += untied
  }

  private static func taken(_ seam: Seam) -> TuningError { TuningError("\(seam.path): already has an adapter; detach it first") }

  /// Does what was undone.
  /// - Throws: `TuningError` where a slot has been taken meanwhile; nothing is changed then.
  func attach() throws(TuningError) {
    guard !isInPlace else { return }
    guard !isMerged else { throw TuningError("the delta is part of the base's weights; unmerge it first") }
    for (index, seam) in seams.enumerated() {
      guard seam.isFree else {
        for filled in seams[..<index] { filled.empty() }
        throw Self.taken(seam)
      }
      seam.fill()
    }
    for (head, sites) in untied { sites.untie(head) }
    for replacement in replaced { replacement.put() }
    for adoption in adopted { adoption.put() }
    isInPlace = true
  }

  /// Undoes everything: the base is as it was, to the bit.
  func detach() {
    guard isInPlace else { return }
    for adoption in adopted.reversed() { adoption.takeBack() }
    for replacement in replaced.reversed() { replacement.takeBack() }
    for seam in seams.reversed() { seam.empty() }
    for (head, sites) in untied { sites.tie(head) }
    isInPlace = false
  }

  /// Folds the changes into the base's weights and leaves the slots empty.
  ///
  /// - Parameter base: the sites of the model whose weights are kept until `unmerge`.
  /// - Throws: `TuningError` where no weights can express a change; the changes are in place then.
  func merge(into base: SiteCatalog) throws(TuningError) {
    guard !isMerged else { return }
    try attach()
    detach()
    for (head, sites) in untied { sites.untie(head) }
    let before = base.parameters.map { ($0, $0.stored) }
    do {
      for replacement in replaced { replacement.settle() }
      // First, since adapters in slots may compute from them.
      for adoption in adopted { adoption.parameter.assign(adoption.current) }
      for seam in seams { try seam.merge() }
    } catch {
      for (parameter, weight) in before { parameter.assign(weight) }
      for (head, sites) in untied { sites.tie(head) }
      try attach()
      throw error
    }
    unmerged = before
  }

  /// Takes the changes out of the base's weights, which are as they were, to the bit; nothing is in place then.
  func unmerge() {
    guard let unmerged else { return }
    for (parameter, weight) in unmerged { parameter.assign(weight) }
    for (head, sites) in untied { sites.tie(head) }
    self.unmerged = nil
  }
}
