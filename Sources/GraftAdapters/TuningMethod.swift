import GraftLayers

/// A way of tuning a frozen base: its configuration, which is also what attaches it.
///
/// The file of a method has its configuration with the keys of PEFT's `adapter_config.json`, its adapter, its maths and
/// its source. It has no freezing, saving, loading, flags or architecture names.
public protocol TuningMethod: Codable, Sendable {
  /// The `peft_type` of recipes and of PEFT, such as `LORA`.
  static var name: String { get }
  /// The method's entry in the documentation.
  static var card: MethodCard { get }
  /// The defaults of PEFT, which an `adapter_config.json` is read over.
  init()
  /// The defaults of a recipe, which may be better ones.
  static var recipeDefaults: Self { get }
  /// The learning rate where a recipe gives none.
  static var defaultLearningRate: Double { get }
  /// Fills seams and adopts parameters; makes every learnable tensor from the attachment's scope.
  /// - Throws: `TuningError` where the configuration does not fit the model, and what the scope throws.
  func attach(to sites: SiteCatalog, in attachment: Attachment) throws
  /// True where the delta can be folded into the base's weights.
  var isMergeable: Bool { get }
  /// The configuration as files keep it: with what other programs would guess of the model.
  /// - Parameter stored: the names of a stored adapter's tensors; nil for one that starts afresh.
  /// - Throws: `TuningError` where it fits nothing of the model.
  func completed(for sites: SiteCatalog, holding stored: [String]?) throws -> Self
}

extension TuningMethod {
  public static var recipeDefaults: Self { Self() }
  public static var defaultLearningRate: Double { 2e-4 }
  public var isMergeable: Bool { true }
  public func completed(for sites: SiteCatalog, holding stored: [String]?) throws -> Self { self }
}

/// A method that can train rows of token tables beside what it does anyway.
public protocol TokenTrainingMethod: TuningMethod {
  /// Adds tokens to those whose rows are trained, in each of the tables.
  mutating func train(tokens: [Int], ofTables tables: [String])
}

/// - Throws: `TuningError` for a key whose effect we do not have.
func requireNone(_ value: Double, _ key: String) throws(TuningError) {
  guard value == 0 else { throw TuningError("\(key): is \(value); only 0 is supported") }
}
