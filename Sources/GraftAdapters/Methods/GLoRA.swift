import GraftConfiguration
import GraftLayers
import GraftTensors

/// Generalised low-rank adaptation: `y = (W + W * A + B) x + b + b * D + E + W C`, each part a product of factors, a vector or a number.
///
/// Chavan et al. 2023, "One-for-all: generalized LoRA for parameter-efficient fine-tuning". Layers without a bias have `A` and `B` alone.
public struct GLoRA: TargetedMethod, SpelledKeys {
  public static let name = "GLORA"
  public static let defaultLearningRate = 1e-3
  public static let card = MethodCard(
    title: "GLoRA", formula: "`(W + W * A + B) x + b + b * D + E + W C`", parameters: "up to `2 r (in + out) + r (in + 1) + 2 out` a target",
    seam: "linear layers", source: "Chavan et al. 2023")

  /// The forms of a part: a product of two factors, a vector, a number, or nothing.
  package enum Form: String, ConfigChoice { case lora, vector, constant, none }

  package var r = 8
  public var targetModules: ModuleSelection?
  package var bias = BiasTraining.none
  public var modulesToSave: [String]?
  /// The form of what the weight gets, of what it makes of an input of its own, and of what the bias gets.
  package var weightForm = Form.lora
  package var inputForm = Form.lora
  package var biasForm = Form.constant
  package var initWeights = true

  public init() {}

  public static let keySpellings = ["weightForm": "config_A_B", "inputForm": "config_C", "biasForm": "config_D_E"]

  public func attach(to sites: SiteCatalog, in attachment: Attachment) throws {
    guard r > 0 else { throw TuningError("r: is \(r); a rank is at least 1") }
    guard inputForm != .constant else { throw TuningError("config_C: is constant; use lora, vector or none") }
    guard biasForm != .lora else { throw TuningError("config_D_E: is lora; use vector, constant or none") }
    let layers = try targets.linears(in: sites, for: attachment)
    for layer in layers {
      let scope = attachment.scope / layer.path
      let (inputs, outputs) = (layer.inputSize, layer.outputSize)
      func part(_ name: String, _ form: Form, rows: Int, columns: Int, isRow: Bool = false) throws -> GeneralPart? {
        try GeneralPart(form, rows: rows, columns: columns, rank: r, isRow: isRow, isZero: initWeights, scope / "glora_\(name)", attachment)
      }
      let hasBias = layer.bias != nil
      let adapter = GeneralAdapter(
        a: try part("A", weightForm, rows: outputs, columns: inputs), b: try part("B", weightForm, rows: outputs, columns: inputs),
        c: try part("C", hasBias ? inputForm : .none, rows: inputs, columns: 1),
        d: try part("D", hasBias ? biasForm : .none, rows: outputs, columns: 1, isRow: true),
        e: try part("E", hasBias ? biasForm : .none, rows: outputs, columns: 1, isRow: true))
      try attachment.fill(layer, with: adapter)
    }
    try attachment.adoptBiases(bias, of: sites, targets: layers, saved: modulesToSave ?? [])
    try attachment.adoptModules(modulesToSave ?? [], of: sites)
  }
}

/// One part: a matrix given by two factors, by a column, or by a number.
private struct GeneralPart {
  private enum Values { case factors(Parameter, Parameter), column(Parameter), number(Parameter) }
  private let values: Values
  private let rows: Int, columns: Int

  /// - Returns: nil where there is nothing. PEFT asks for zeros in a file then.
  init?(
    _ form: GLoRA.Form, rows: Int, columns: Int, rank: Int, isRow: Bool, isZero: Bool, _ scope: Scope, _ attachment: Attachment
  ) throws {
    (self.rows, self.columns) = (rows, columns)
    let column: Shape = isRow ? [rows] : [rows, columns]
    switch form {
    case .lora:
      values = .factors(
        try scope.parameter("Xd", [rows, rank], isZero ? .zeros : .uniform(bound: 1 / Float(rank).squareRoot())),
        try scope.parameter("Xu", [rank, columns], .uniform(bound: 1 / Float(columns).squareRoot())))
    case .vector:
      values = .column(try scope.parameter("X", isRow ? [rows] : [rows, 1], isZero ? .zeros : .uniform(bound: 1)))
    case .constant:
      values = .number(try scope.parameter("X", [1], isZero ? .zeros : .normal(standardDeviation: 0.02)))
    case .none:
      let key = (scope / "zeros").path
      try attachment.ignore(key, shape: column)
      attachment.store(key) { .zeros(column) }
      return nil
    }
  }

  /// The part in full `[rows, columns]`.
  var matrix: Tensor {
    switch values {
    case .factors(let down, let up): matrixProduct(down.operand, up.operand)
    case .column(let column): scaleRows(Tensor(repeating: 1, shape: [rows, columns]), by: column.operand.reshaped(to: [rows, 1]))
    case .number(let number): scaleAll(Tensor(repeating: 1, shape: [rows, columns]), by: number.operand)
    }
  }
}

/// The five parts beside a linear layer.
private final class GeneralAdapter: LinearAdapter {
  let a: GeneralPart?, b: GeneralPart?, c: GeneralPart?, d: GeneralPart?, e: GeneralPart?

  init(a: GeneralPart?, b: GeneralPart?, c: GeneralPart?, d: GeneralPart?, e: GeneralPart?) {
    (self.a, self.b, self.c, self.d, self.e) = (a, b, c, d, e)
  }

  func callAsFunction(_ x: Tensor, through base: Linear, _ pass: Pass) -> Tensor {
    var y = base.plain(x)
    if let change = change(of: base.matrix) { y = linear(x, change, addingTo: consume y) }
    return biasChange(of: base).map { addRow(y, $0) } ?? y
  }

  /// `W * A + B`.
  private func change(of weight: Tensor) -> Tensor? {
    guard let a, let b else { return nil }
    return weight * a.matrix + b.matrix
  }

  /// `b * D + E + W C`.
  private func biasChange(of base: Linear) -> Tensor? {
    guard let bias = base.bias else { return nil }
    let column: Shape = [base.outputSize, 1]
    let parts = [
      d.map { bias.operand.reshaped(to: column) * $0.matrix }, e?.matrix, c.map { matrixProduct(base.matrix, $0.matrix) },
    ].compactMap(\.self)
    guard let first = parts.first else { return nil }
    return parts.dropFirst().reduce(first) { $0 + $1 }.reshaped(to: bias.shape)
  }

  func merge(into base: Linear) throws(TuningError) {
    let biasChange = biasChange(of: base)
    try base.merge { weight in change(of: weight).map { weight + $0 } ?? weight }
    if let biasChange, let bias = base.bias { bias.assign(bias.dense() + biasChange) }
  }
}
