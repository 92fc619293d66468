import GraftConfiguration
import GraftJSON
import GraftLayers
import GraftTensors

/// Interventions on the states that layers leave, at the first and the last tokens: `h + Rᵀ (W h + b - R h)`.
///
/// Wu et al. 2024, "ReFT", equations 2 to 4: LoReFT has orthonormal rows `R`, NoReFT any, DiReFT leaves the subtraction out. Keys, names and
/// arithmetic are AdapterHub's; where first and last tokens overlap, the last ones' intervention holds.
public struct ReFT: AdapterHubMethod {
  public static let name = "REFT"
  public static let defaultLearningRate = 2e-3
  public static let card = MethodCard(
    title: "ReFT", formula: "`h + Rᵀ (W h + b - R h)` at some tokens", parameters: "`2 r h + r` a layer, and as many for last tokens",
    seam: "states behind layers", source: "Wu et al. 2024")

  /// The paper's three forms, which the other keys refine.
  public enum Preset: String, ConfigChoice { case loreft, noreft, direft }

  package var config = Preset.loreft
  /// The layers, counted from 0; all where nil.
  package var layers: [Int]?
  /// The number of first tokens, and of last ones.
  package var prefixPositions = 3, suffixPositions = 0
  /// The rank of an intervention.
  package var r = 1
  /// True where `R` has orthonormal rows.
  package var orthogonality: Bool?
  /// True where first and last tokens share an intervention.
  package var tiedWeights = false
  /// True where `R h` is taken off.
  package var subtractProjection: Bool?
  package var dropout = 0.05
  /// The function of `W h + b`.
  package var nonLinearity: String?
  /// Modules that are trained and stored whole.
  public var modulesToSave: [String]?

  public init() {}

  public static var recipeDefaults: ReFT {
    var method = ReFT()
    method.r = 4
    return method
  }

  public var isMergeable: Bool { false }

  public func attach(to sites: SiteCatalog, in attachment: Attachment) throws {
    guard prefixPositions >= 0, suffixPositions >= 0, prefixPositions + suffixPositions > 0 else {
      throw TuningError("prefix_positions: is \(prefixPositions) with suffix_positions \(suffixPositions); one must be positive, neither negative")
    }
    guard (0..<1).contains(dropout) else { throw TuningError("dropout: is \(dropout); it must be at least 0 and below 1") }
    let activation = Activation(named: nonLinearity ?? "linear")
    guard let activation else { throw TuningError("non_linearity: unknown activation \"\(nonLinearity ?? "")\"") }
    for block in try blocks(of: sites) {
      let width = try Self.width(of: block, in: sites)
      guard r > 0, r < width else { throw TuningError("r: is \(r); it must be at least 1 and below \(width), the states' width") }
      let scope = attachment.root / block.path / "reft_layer" / "refts" / "units"
      func unit(_ index: Int, isUsed: Bool) throws -> InterventionUnit {
        try InterventionUnit(scope / index, width: width, self, activation, isTrained: isUsed, attachment)
      }
      let first = try unit(0, isUsed: tiedWeights || prefixPositions > 0)
      let last = tiedWeights ? first : try unit(1, isUsed: suffixPositions > 0)
      try attachment.fill(block, with: Intervention(first: (first, prefixPositions), last: (last, suffixPositions)))
    }
    attachment.modulePrefix = ""
    try attachment.adoptModules(modulesToSave ?? [], of: sites)
  }

  private func blocks(of sites: SiteCatalog) throws(TuningError) -> [TransformerBlock] {
    let all = sites.sites.compactMap(\.block)
    guard !all.isEmpty else { throw TuningError("REFT: \(sites.modelType ?? "this model") has no layers that say where they are; use LORA") }
    guard let layers else { return all }
    guard let strange = layers.first(where: { !all.indices.contains($0) }) else { return layers.map { all[$0] } }
    throw TuningError("layers: \(strange) is none of the layers, which are 0 to \(all.count - 1)")
  }

  /// The columns of the states that a block leaves.
  static func width(of block: TransformerBlock, in sites: SiteCatalog) throws(TuningError) -> Int {
    if let last = block.residuals.last?.sublayer.last { return last.outputSize }
    let inside = sites.sites.lazy.filter { $0.path.hasPrefix(block.path + ".") }
    if let attention = inside.compactMap(\.attention).first { return attention.output.outputSize }
    guard let table = sites.sites.first(where: { $0.role == .tokenEmbedding })?.embedding else {
      throw TuningError("\(block.path): has states of unknown width; use LORA")
    }
    return table.weight.shape[1]
  }

  /// True where `R` has orthonormal rows, and where `R h` is taken off.
  var isOrthogonal: Bool { orthogonality ?? (config == .loreft) }
  var subtracts: Bool { subtractProjection ?? (config != .direft) }

  public func adapterHubConfiguration() -> JSON {
    [
      "architecture": "reft", "layers": layers.map { .array($0.map(JSON.integer)) } ?? "all", "prefix_positions": .integer(prefixPositions),
      "suffix_positions": .integer(suffixPositions), "r": .integer(r), "orthogonality": .bool(isOrthogonal), "tied_weights": .bool(tiedWeights),
      "subtract_projection": .bool(subtracts), "dropout": .number(dropout), "non_linearity": nonLinearity.map(JSON.string) ?? .null,
      "output_reft": true, "dtype": .null, "init_weights_seed": .null,
    ]
  }
}

/// One intervention: `h + Rᵀ (f(W h + b) - R h)`.
private struct InterventionUnit {
  /// `W [r, hidden]` and `b [r]`.
  let source: Parameter, bias: Parameter
  /// `R [r, hidden]`, or the values that stand for its orthonormal rows.
  let projection: Parameter
  let isOrthogonal: Bool, subtracts: Bool
  let activation: Activation, dropout: Float

  init(_ scope: Scope, width: Int, _ method: ReFT, _ activation: Activation, isTrained: Bool, _ attachment: Attachment) throws {
    let uniform = Initializer.uniform(bound: 1 / Float(width).squareRoot())
    let inner = scope / "learned_source"
    source = try inner.parameter("weight", [method.r, width], uniform)
    bias = try inner.parameter("bias", [method.r], uniform)
    (isOrthogonal, subtracts, self.activation, dropout) = (method.isOrthogonal, method.subtracts, activation, Float(method.dropout))
    let outer = scope / "projection"
    if isOrthogonal {
      let rows = outer / "parametrizations" / "weight"
      projection = try rows.parameter("original", [method.r, width], .normal(standardDeviation: 1))
      if !attachment.isLoading {
        projection.assign(OrthonormalRows.values(spanning: projection.value))
      } else if let base = try attachment.taken(rows.path + ".0.base", shape: [width, width]), base.values != Tensor.identity(width).values {
        // AdapterHub turns the reflected vectors once more, by a fixed matrix; ours are those it makes of them.
        projection.assign(OrthonormalRows.values(spanning: linear(OrthonormalRows.rows(of: projection.value), base.converted(to: .float32))))
      }
    } else {
      projection = try outer.parameter("weight", [method.r, width], uniform)
    }
    for parameter in [source, bias, projection] where !isTrained { parameter.isTrainable = false }
  }

  func callAsFunction(_ x: Tensor, _ pass: Pass) -> Tensor {
    let rows = isOrthogonal ? OrthonormalRows.rows(of: projection.operand) : projection.operand
    let target = activate(linear(x, source.operand, bias: bias.operand), activation)
    let change = subtracts ? target - linear(x, rows) : target
    return pass.dropout(linear(change, rows, layout: .inputByOutput, addingTo: x), dropout, at: source.path)
  }
}

/// The interventions on a block's states.
private final class Intervention: StateAdapter {
  let first: (unit: InterventionUnit, count: Int), last: (unit: InterventionUnit, count: Int)

  init(first: (InterventionUnit, Int), last: (InterventionUnit, Int)) { (self.first, self.last) = (first, last) }

  func callAsFunction(_ x: Tensor, _ pass: Pass) -> Tensor {
    var firstRows: [Int32] = []
    var lastRows: [Int32] = []
    for (index, rows) in pass.sequences.enumerated() {
      let earlier = pass.state?.lengths[index] ?? 0
      let end = rows.suffix(last.count)
      lastRows += end.map(Int32.init)
      firstRows += rows.prefix(max(0, first.count - earlier)).filter { !end.contains($0) }.map(Int32.init)
    }
    var places = [Int32](repeating: -1, count: x.shape.rows)
    for (place, row) in (firstRows + lastRows).enumerated() { places[Int(row)] = Int32(place) }
    let changed = [(firstRows, first.unit), (lastRows, last.unit)].compactMap { rows, unit in
      rows.isEmpty ? nil : unit(gatherRows(x, Tensor(rows)), pass)
    }
    return changed.isEmpty ? x : replaceRows(of: x, by: concatenateRows(changed), places)
  }
}
