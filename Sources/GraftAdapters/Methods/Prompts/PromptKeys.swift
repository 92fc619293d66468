import GraftConfiguration

/// The keys with which PEFT's prompt methods say how many virtual tokens there are and how large the model is.
public struct PromptKeys: InlinedKeys, Sendable, Hashable {
  /// Virtual tokens before every sequence.
  package var numVirtualTokens: Int?
  /// The stacks that have prompts of their own: 2 for an encoder and a decoder; nil for the model's own number.
  package var numTransformerSubmodules: Int?
  /// The width of a virtual token; nil for the model's own.
  package var tokenDim: Int?
  /// Attention heads; nil for the model's own number.
  package var numAttentionHeads: Int?
  /// Layers; nil for the model's own number.
  package var numLayers: Int?
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
  package var numVirtualTokens: Int? {
    get { promptKeys.numVirtualTokens }
    set { promptKeys.numVirtualTokens = newValue }
  }
  package var numTransformerSubmodules: Int? {
    get { promptKeys.numTransformerSubmodules }
    set { promptKeys.numTransformerSubmodules = newValue }
  }
  package var tokenDim: Int? {
    get { promptKeys.tokenDim }
    set { promptKeys.tokenDim = newValue }
  }
  package var numAttentionHeads: Int? {
    get { promptKeys.numAttentionHeads }
    set { promptKeys.numAttentionHeads = newValue }
  }
  package var numLayers: Int? {
    get { promptKeys.numLayers }
    set { promptKeys.numLayers = newValue }
  }
  package var modulesToSave: [String]? {
    get { promptKeys.modulesToSave }
    set { promptKeys.modulesToSave = newValue }
  }
}
