import GraftConfiguration

/// The keys with which PEFT's prompt methods say how many virtual tokens there are and how large the model is.
public struct PromptKeys: InlinedKeys, Sendable, Hashable {
  /// Virtual tokens before every sequence.
  public var numVirtualTokens: Int?
  /// The stacks that have prompts of their own: 2 for an encoder and a decoder; nil for the model's own number.
  public var numTransformerSubmodules: Int?
  /// The width of a virtual token; nil for the model's own.
  public var tokenDim: Int?
  /// Attention heads; nil for the model's own number.
  public var numAttentionHeads: Int?
  /// Layers; nil for the model's own number.
  public var numLayers: Int?
  /// Modules that are trained and stored whole.
  public var modulesToSave: [String]?

  /// The keys as PEFT has them, or with a number of virtual tokens.
  public init(numVirtualTokens: Int? = nil) { self.numVirtualTokens = numVirtualTokens }
}

/// A method that puts trained vectors before a sequence.
public protocol PromptMethod: TuningMethod {
  /// The keys, which stand among the method's own.
  var promptKeys: PromptKeys { get set }
}

extension PromptMethod {
  public var numVirtualTokens: Int? {
    get { promptKeys.numVirtualTokens }
    set { promptKeys.numVirtualTokens = newValue }
  }
  public var numTransformerSubmodules: Int? {
    get { promptKeys.numTransformerSubmodules }
    set { promptKeys.numTransformerSubmodules = newValue }
  }
  public var tokenDim: Int? {
    get { promptKeys.tokenDim }
    set { promptKeys.tokenDim = newValue }
  }
  public var numAttentionHeads: Int? {
    get { promptKeys.numAttentionHeads }
    set { promptKeys.numAttentionHeads = newValue }
  }
  public var numLayers: Int? {
    get { promptKeys.numLayers }
    set { promptKeys.numLayers = newValue }
  }
  public var modulesToSave: [String]? {
    get { promptKeys.modulesToSave }
    set { promptKeys.modulesToSave = newValue }
  }
}
