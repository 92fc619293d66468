/// A sublayer as a drawing of a model shows it: its kind, its sizes, and what it keeps between tokens.
public struct SublayerOutline: Sendable, Hashable {
  /// A count, a number or a text.
  public enum Value: Sendable, Hashable {
    /// A whole number.
    case count(Int)
    /// Any number.
    case number(Float)
    /// A word, or a few.
    case text(String)
  }

  /// A property of a sublayer under its key, such as `key_value_heads`.
  public struct Fact: Sendable, Hashable {
    /// The key.
    public var name: String
    /// The value of the property.
    public var value: Value

    /// A value under its key.
    public init(_ name: String, _ value: Value) {
      self.name = name
      self.value = value
    }
  }

  /// The parameters of a mixture's experts, all together.
  public struct Experts: Sendable, Hashable {
    /// The number of values of all experts.
    public var parameters: Int
    /// The number of experts, and of those that a token uses.
    public var count: Int, used: Int
  }

  /// The kind of the sublayer, such as `attention`.
  public var kind: String
  /// The properties, in the order in which they are shown.
  public var facts: [Fact] = []
  /// The elements that are kept of every token.
  public var keptPerToken = 0
  /// The tokens that are kept; all where nil.
  public var window: Int?
  /// The elements that are kept of every token of a source.
  public var keptPerSourceToken = 0
  /// The elements that are kept of a sequence, however long it is.
  public var keptPerSequence = 0
  /// The experts of a mixture; nil for another sublayer.
  public var experts: Experts?

  /// A sublayer of which nothing is known but its kind.
  public init(_ kind: String) { self.kind = kind }

  mutating func add(_ name: String, _ count: Int) { facts.append(Fact(name, .count(count))) }
  mutating func add(_ name: String, _ text: String) { facts.append(Fact(name, .text(text))) }
  mutating func add(_ name: String, _ number: Float) { facts.append(Fact(name, .number(number))) }
}

extension Sublayer {
  /// The name of the type alone.
  public var outline: SublayerOutline { SublayerOutline("\(type(of: self))") }
}

extension Residual {
  /// The sublayer, or those that stand side by side in it, with their norms.
  var outlines: [SublayerOutline] {
    guard let parallel = sublayer as? ParallelSublayers else { return [outline(of: sublayer.outline, own: nil)] }
    return parallel.branches.map { norm, sublayer in
      var outline = outline(of: sublayer.outline, own: norm)
      outline.add("beside", "the other sublayers of its layer")
      return outline
    }
  }

  /// - Parameter own: the norm of a sublayer beside others.
  private func outline(of sublayer: SublayerOutline, own: Norm?) -> SublayerOutline {
    var outline = sublayer
    let words: String? =
      switch norms {
      case .none: own.map { "\($0.kindName) before" }
      case .before(let norm): "\(norm.kindName) before"
      case .after(let norm): "\(norm.kindName) after the sum"
      case .inside(let norm): "\(norm.kindName) after"
      case .around(let norm, _): "\(norm.kindName) before and after"
      }
    if let words { outline.add("norm", words) }
    if multiplier != 1 { outline.add("residual_multiplier", multiplier) }
    return outline
  }
}

extension Norm {
  /// `rms` or `layer`.
  var kindName: String {
    switch kind {
    case .rms: "rms"
    case .layer: "layer"
    }
  }
}
