import GraftTensors

/// The purpose of a projection, in every family: methods target roles, and PEFT's names are matched against the same sites.
public enum Role: String, Sendable, Hashable, CaseIterable {
  /// The layers of attention.
  case query, key, value, attentionOutput
  /// The layers of a feed-forward.
  case gate, up, down
  /// The same of one expert of many.
  case expertGate, expertUp, expertDown
  /// A layer that is queries, keys and values at once, or gate and up.
  case fusedAttention, fusedGateUp
  /// The layers around latent attention's compressed rows.
  case queryCompression, latentCompression, latentExpansion
  /// RWKV's gate over what is taken in, or what reads its state.
  case receptance
  /// The layers around a state space: into its channels, from these to its parameters, to the sizes of its steps, and back.
  case stateInput, stateParameters, stateStep, stateOutput
  /// The tables before the first block and the layers behind the last, and the gates of experts.
  case tokenEmbedding, positionEmbedding, languageModelHead, classifier, pooler, router
}

/// A place where a method may adapt the model.
public struct Site {
  /// The module that is there.
  public enum Module {
    /// A linear layer.
    case linear(Linear)
    /// A table.
    case embedding(Embedding)
    /// A norm.
    case norm(Norm)
    /// An attention as a whole, for prefixes and gates.
    case attention(Attention)
    /// A projection that all experts of a layer have.
    case experts(ExpertProjection)
    /// The state of a recurrent layer.
    case recurrence(Recurrence)
    /// A layer as a whole, for changes of the states that it leaves.
    case block(TransformerBlock)
  }

  /// The dotted module path, such as `model.layers.0.self_attn.q_proj`.
  public let path: String
  /// The purpose of the module; nil for one that methods do not ask for.
  public let role: Role?
  /// The module that is there.
  public let module: Module

  /// The linear layer here; nil for any other module.
  public var linear: Linear? { if case .linear(let module) = module { module } else { nil } }
  /// The table here; nil for any other module.
  public var embedding: Embedding? { if case .embedding(let module) = module { module } else { nil } }
  /// The norm here; nil for any other module.
  public var norm: Norm? { if case .norm(let module) = module { module } else { nil } }
  /// The attention here; nil for any other module.
  public var attention: Attention? { if case .attention(let module) = module { module } else { nil } }
  /// The recurrence here; nil for any other module.
  public var recurrence: Recurrence? { if case .recurrence(let module) = module { module } else { nil } }
  /// The layer as a whole here; nil for any other module.
  public var block: TransformerBlock? { if case .block(let module) = module { module } else { nil } }
  /// The experts' projection here; nil for any other module.
  public var experts: ExpertProjection? { if case .experts(let module) = module { module } else { nil } }
}

/// Every parameter and every site of a model, in the order in which they were made.
public final class SiteCatalog {
  /// The parameters, in the order in which they were made.
  public private(set) var parameters: [Parameter] = []
  /// The sites, in the order in which they were made.
  public private(set) var sites: [Site] = []
  /// The model's `model_type`, such as `llama`.
  public var modelType: String?
  /// Returns the other paths under which adapters know a module.
  public var otherPaths: (String) -> [String] = { _ in [] }
  /// The modules that methods adapt where nothing names them.
  public var defaultTargets = DefaultTargets()
  /// The parameters that a checkpoint was to have and lacked.
  public private(set) var drawn: [Parameter] = []
  private var parameterIndex: [String: Int] = [:]
  /// The matrices that heads shared before they were untied.
  private var shared: [ObjectIdentifier: Parameter] = [:]
  private var ownWeights: [ObjectIdentifier: Parameter] = [:]

  /// A catalog without entries.
  public init() {}

  func add(_ parameter: Parameter, isDrawn: Bool = false) {
    parameterIndex[parameter.path] = parameters.count
    parameters.append(parameter)
    if isDrawn { drawn.append(parameter) }
  }

  func add(_ site: Site) { sites.append(site) }

  /// The other paths of parameters that modules share, such as that of a head which is tied to the table of tokens.
  public private(set) var sharedParameters: [(path: String, parameter: Parameter)] = []

  /// Notes that a parameter has another path, too, under which a checkpoint may hold it once more.
  public func share(_ parameter: Parameter, as path: String) { sharedParameters.append((path, parameter)) }

  /// Returns the parameter at a path; nil where there is none.
  public func parameter(_ path: String) -> Parameter? { parameterIndex[path].map { parameters[$0] } }

  /// The parameters of the module at `path`: its own and those of modules inside it.
  public func parameters(under path: String) -> [Parameter] { parameters.filter { $0.path.hasPrefix(path + ".") } }

  /// The linear layers of all sites.
  public var linears: [Linear] { sites.compactMap(\.linear) }

  /// The parameters that gradients are asked for.
  public var trainableParameters: [Parameter] { parameters.filter(\.isTrainable) }

  /// The number of values in all parameters.
  public var parameterCount: Int { parameters.reduce(0) { $0 + $1.shape.elementCount } }

  /// The first parameter that holds a value which is not finite.
  public func firstNonFiniteParameter() -> Parameter? {
    parameters.first { $0.dense().firstNonFiniteIndex != nil }
  }
}

/// An embedding and a head that compute with one matrix.
public struct Tie {
  /// The table of tokens.
  public let table: Embedding
  /// The head with its matrix.
  public let head: Linear
}

extension SiteCatalog {
  /// The tables and heads that are one matrix now.
  public var ties: [Tie] {
    linears.filter { !$0.ownsWeight }.compactMap { head in
      sites.lazy.compactMap(\.embedding).first { $0.weight === head.weight }.map { Tie(table: $0, head: head) }
    }
  }

  /// Gives a head that shares another module's matrix one of its own, equal at first and the same every time.
  public func untie(_ head: Linear) {
    guard !head.ownsWeight else { return }
    let identifier = ObjectIdentifier(head)
    let table = head.weight
    let own = ownWeights[identifier] ?? Parameter(path: head.path + ".weight", stored: table.stored)
    own.assign(table.stored)
    (shared[identifier], ownWeights[identifier]) = (table, own)
    head.weight = own
    add(own)
  }

  /// Gives a head back what it shared before it was untied.
  public func tie(_ head: Linear) {
    guard let table = shared.removeValue(forKey: ObjectIdentifier(head)) else { return }
    parameters.removeAll { $0 === head.weight }
    parameterIndex = Dictionary(parameters.enumerated().map { ($1.path, $0) }) { _, last in last }
    head.weight = table
  }
}
