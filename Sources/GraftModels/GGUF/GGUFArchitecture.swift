import GraftCheckpoints
import GraftJSON

/// A family as llama.cpp knows it: the architecture's name, and the names and layouts of its modules there.
public struct GGUFArchitecture: Sendable {
  /// The value of `general.architecture`.
  public let name: String
  /// The module that holds the blocks, such as `model.layers`.
  public let blocks: String
  /// The names of a block's modules by their paths in it: `self_attn.q_proj` is `attn_q`.
  public let blockModules: [String: String]
  /// The names of the other modules by their paths.
  public let modules: [String: String]
  /// The modules of a block whose rows have another order in llama.cpp, by their paths in it.
  public let reorderedModules: Set<String>
  private let order: RowOrder
  private let describe: Description
  private let reading: GGUFReading?

  /// Returns, for a resolved configuration, the numbers of the Transformers' rows that stand for the rows of a module.
  public typealias RowOrder = @Sendable (_ module: String, ArchitectureConfiguration) throws -> [Int32]
  /// Returns the description of the model of a resolved configuration; throws `ArchitectureError` where the model computes something that
  /// llama.cpp would not.
  public typealias Description = @Sendable (ArchitectureConfiguration, GGUFArchitecture) throws -> GGUFModel

  /// - Parameters:
  ///   - order: the order of the rows of `reorderedModules`.
  ///   - reading: the way back from a file; nil for a family that is not read from GGUF files.
  ///   - describe: the description of a model.
  public init(
    _ name: String, blocks: String, blockModules: [String: String], modules: [String: String], reorderedModules: Set<String> = [],
    order: @escaping RowOrder = { _, _ in [] }, reading: GGUFReading? = nil, describe: @escaping Description
  ) {
    self.reading = reading
    self.name = name
    self.blocks = blocks
    self.blockModules = blockModules
    self.modules = modules
    self.reorderedModules = reorderedModules
    self.order = order
    self.describe = describe
  }

  /// The path in its block of a module such as `model.layers.0.self_attn.q_proj`, and the block's number; nil for modules outside.
  package func place(of module: String) -> (block: Int, path: String)? {
    guard module.hasPrefix(blocks + ".") else { return nil }
    let components = module.dropFirst(blocks.count + 1).split(separator: ".", maxSplits: 1)
    guard components.count == 2, let block = Int(components[0]) else { return nil }
    return (block, String(components[1]))
  }

  /// The name of a module such as `model.layers.0.self_attn.q_proj`: `blk.0.attn_q`. Nil for a module without a counterpart.
  package func name(of module: String) -> String? {
    guard let place = place(of: module) else { return modules[module] }
    return blockModules[place.path].map { "blk.\(place.block).\($0)" }
  }

  /// True where the order of a module's rows depends on the model's configuration.
  package func reorders(_ module: String) -> Bool { place(of: module).map { reorderedModules.contains($0.path) } ?? false }

  /// The numbers of the Transformers' rows that stand for the rows of a module; nil where the order is the same.
  package func rowOrder(of module: String, _ config: ArchitectureConfiguration) throws -> [Int32]? {
    guard reorders(module), let path = place(of: module)?.path else { return nil }
    return try order(path, config)
  }

  /// True for a family that is read from GGUF files.
  package var isRead: Bool { reading != nil }

  /// True for a family that is read from GGUF files, and that a file of the architecture is a model of.
  package func describes(_ keys: GGUFKeys) -> Bool { keys.architecture == name && reading?.isDescribed(keys) == true }

  /// The members of a `config.json` that the keys of a file tell.
  /// - Throws: `ArchitectureError` for what is missing, or no model of the family has.
  package func members(_ keys: GGUFKeys) throws -> [(String, JSON)] { try reading?.restore(keys) ?? [] }

  /// The description of the model of a resolved configuration.
  /// - Throws: `ArchitectureError` where the model computes something that llama.cpp would not.
  package func model(_ config: ArchitectureConfiguration) throws -> GGUFModel { try describe(config, self) }
}

/// The way back from a file of llama.cpp to a `config.json`.
public struct GGUFReading: Sendable {
  /// Tells whether a file of the architecture is a model of the family, where several have it.
  public var isDescribed: @Sendable (GGUFKeys) -> Bool
  /// Returns what a file says of a model as members of a `config.json`, besides what all families have there.
  public var restore: @Sendable (GGUFKeys) throws -> [(String, JSON)]

  /// - Parameters:
  ///   - isDescribed: true for every file where nothing is given.
  ///   - restore: the members of a `config.json`.
  public init(
    isDescribed: @escaping @Sendable (GGUFKeys) -> Bool = { _ in true }, restore: @escaping @Sendable (GGUFKeys) throws -> [(String, JSON)]
  ) { (self.isDescribed, self.restore) = (isDescribed, restore) }
}

/// A model as a GGUF file describes it.
public struct GGUFModel {
  /// A key of the file and its value.
  public typealias Entry = (key: String, value: GGUFValue)

  /// The architecture's own keys, as llama.cpp's converter writes them.
  public var metadata: [Entry]
  /// The number added to the weights of norms: 1 for a family that stores them less 1.
  public var normOffset: Float = 0
  /// Vectors that are no parameters, such as the factors of rotary frequencies.
  public var vectors: [(name: String, values: [Float])] = []
  /// Differences that somebody who uses the file should know of.
  public var notes: [String] = []

  /// A model with the architecture's own keys, and nothing else to say of it.
  public init(metadata: [Entry]) { self.metadata = metadata }

  /// The order of a projection's rows in which those of a rotary pair are neighbours, as llama.cpp rotates some families:
  /// `(head, 2, size / 2)` becomes `(head, size / 2, 2)`.
  public static func interleavedPairs(heads: Int, size: Int) -> [Int32] {
    (0..<heads * size).map { row in Int32(row / size * size + row % size % 2 * (size / 2) + row % size / 2) }
  }
}

/// The entries of an architecture under its name.
public struct GGUFMetadata {
  private let architecture: String
  /// The entries so far.
  public private(set) var entries: [GGUFModel.Entry] = []

  /// No entries, under the name of an architecture.
  public init(_ architecture: GGUFArchitecture) { self.architecture = architecture.name }

  /// Adds a whole number.
  public mutating func add(_ key: String, _ value: Int) { entries.append(("\(architecture).\(key)", .uint32(UInt32(clamping: value)))) }

  /// Adds a number.
  public mutating func add(_ key: String, _ value: Float) { entries.append(("\(architecture).\(key)", .float32(value))) }

  /// Adds a string.
  public mutating func add(_ key: String, _ value: String) { entries.append(("\(architecture).\(key)", .string(value))) }

  /// Adds a Boolean value.
  public mutating func add(_ key: String, _ value: Bool) { entries.append(("\(architecture).\(key)", .bool(value))) }
}

extension ArchitectureConfiguration {
  /// The error for a model that llama.cpp does not compute.
  /// - Parameter subject: the property that it does not have.
  public func withoutCounterpart(_ subject: String) -> ArchitectureError {
    ArchitectureError("\(source): \(subject) has no counterpart in llama.cpp; write a checkpoint directory instead")
  }
}
