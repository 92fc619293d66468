/// The names of a family's tensors in checkpoints.
public struct TensorNames: Sendable, Hashable {
  /// The module that holds the base model in a checkpoint with a head, such as `model`; a checkpoint without a head leaves it out.
  public let base: String?
  /// The ends of the names of tensors with a row or an entry for each token: tables, heads and heads' biases.
  ///
  /// The first one's name draws the rows of new tokens where several hold the same values.
  public let vocabulary: [String]
  /// The modules whose rows are a classifier's labels.
  public let classifiers: [String]
  /// Other ends under which older checkpoints hold tensors.
  public let formerEnds: [FormerEnd]

  /// The end of a tensor's name, and another under which a checkpoint may hold the tensor.
  public struct FormerEnd: Sendable, Hashable {
    /// The end of the name that Transformers has.
    public let end: String
    /// The end that the checkpoint may have.
    public let former: String

    /// - Parameter former: the end that a checkpoint may have.
    public init(_ end: String, former: String) {
      self.end = end
      self.former = former
    }
  }

  /// The names of modules in Transformers, by those in checkpoints, where they are not the same; adapters may have either.
  public let renamedModules: [String: String]

  /// - Parameters:
  ///   - base: the module that holds the base model; nil for none.
  ///   - vocabulary: the ends of the names of tensors with a row or an entry for each token.
  public init(
    base: String?, vocabulary: [String], classifiers: [String] = [], formerEnds: [FormerEnd] = [], renamedModules: [String: String] = [:]
  ) {
    self.renamedModules = renamedModules
    self.base = base
    self.vocabulary = vocabulary
    self.classifiers = classifiers
    self.formerEnds = formerEnds
  }

  /// The paths under which adapters may know a module: those of Transformers.
  func otherPaths(of path: String) -> [String] {
    let renamed = path.split(separator: ".").map { renamedModules[String($0)] ?? String($0) }.joined(separator: ".")
    return renamed == path ? [] : [renamed]
  }

  /// The other names under which a checkpoint may hold a path: without the base model's prefix, and by their former ends.
  public func aliases(of path: String) -> [String] {
    var names: [String] = []
    if let base, path.hasPrefix(base + ".") {
      names.append(String(path.dropFirst(base.count + 1)))
    } else {
      names.append("model." + path)
    }
    for entry in formerEnds where path.hasSuffix(entry.end) {
      names += ([path] + names).map { $0.dropLast(entry.end.count) + entry.former }
    }
    return names
  }

  /// The ends of the names that TensorFlow gave the weights of a norm.
  static let formerNorms = [
    FormerEnd("LayerNorm.weight", former: "LayerNorm.gamma"), FormerEnd("LayerNorm.bias", former: "LayerNorm.beta"),
  ]

  /// The name of the table of tokens where an encoder-decoder's checkpoint has it in the encoder.
  static let formerShared = [FormerEnd("shared.weight", former: "encoder.embed_tokens.weight")]
}
