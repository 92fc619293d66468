import Foundation
import GraftErrors
import GraftTensors

/// The distribution of an initial value where no checkpoint gives one.
public enum Initializer: Sendable, Hashable {
  /// All 0.
  case zeros
  /// All 1.
  case ones
  /// All the same.
  case constant(Float)
  /// Normal around 0.
  case normal(standardDeviation: Float)
  /// Uniform on `±bound`.
  case uniform(bound: Float)
  /// Every row's elements, one for each column.
  case columns([Float])
  /// `log(e^x - 1)` of an x whose logarithm is uniform between those of two bounds: softplus gives x back (Gu and Dao 2023, section 3.6).
  case inverseSoftplus(Range<Float>, least: Float)
  /// The sines of the rows' numbers (Vaswani et al. 2017, section 3.5).
  case sinusoids

  package func makeTensor(_ shape: Shape, _ stream: RandomStream) -> Tensor {
    switch self {
    case .zeros: .zeros(shape)
    case .ones: Tensor(repeating: 1, shape: shape)
    case .constant(let value): Tensor(repeating: value, shape: shape)
    case .normal(let deviation): stream.normal(shape, standardDeviation: deviation)
    case .uniform(let bound): stream.uniform(shape, in: -bound..<bound)
    case .columns(let row): Tensor((0..<shape.elementCount).map { row[$0 % row.count] }, shape)
    case .inverseSoftplus(let range, let least):
      Tensor(
        stream.uniform(shape, in: log(range.lowerBound)..<log(range.upperBound)).values.map { logarithm in
          let x = max(exp(logarithm), least)
          return x + log(-expm1(-x))
        }, shape)
    case .sinusoids: sinusoidalPositions((0..<shape[0]).map { Int32($0) }, width: shape[1])
    }
  }
}

/// A tensor that is missing or does not have the shape which the configuration implies.
public struct WeightError: UserError {
  public let description: String

  /// - Parameter description: one line that names the tensor.
  public init(_ description: String) { self.description = description }

  public var status: ErrorStatus { .malformedInput }
}

/// A dotted path under which parameters are made: the one place where their names are written.
///
/// A scope fetches a tensor from its source, or draws it where there is none, and enters what it made into the catalog.
/// Construction is loading: a missing or mis-shaped tensor is reported at the line that wants it.
public struct Scope {
  /// The path, without a dot at its end; empty at the root.
  public let path: String
  package let construction: Construction
  /// Other names under which the source may hold a path, in order of preference.
  private let aliases: (String) -> [String]

  /// The state that all scopes of one construction share.
  package final class Construction {
    let source: (any WeightSource)?
    let frozenType: ElementFormat
    /// The quantization of frozen matrices that a source holds unquantized; nil for none.
    let quantization: WeightQuantization?
    let stream: RandomStream
    let isTrainable: Bool
    let catalog: SiteCatalog
    /// True where nothing but shapes is wanted.
    let isOutline: Bool
    private var blank: BlankMemory?
    var consumed: Set<String> = []
    /// The paths whose tensors may stand for a path's own.
    var tied: [String: [String]] = [:]

    init(
      source: (any WeightSource)?, frozenType: ElementFormat, quantization: WeightQuantization? = nil, stream: RandomStream, isTrainable: Bool,
      catalog: SiteCatalog, isOutline: Bool = false
    ) {
      self.isOutline = isOutline
      (self.source, self.frozenType, self.quantization, self.stream) = (source, frozenType, quantization, stream)
      (self.isTrainable, self.catalog) = (isTrainable, catalog)
    }

    /// A tensor of zeros that takes no memory.
    func outlined(_ shape: Shape) throws(MemoryError) -> Tensor {
      if let tensor = blank?.tensor(shape) { return tensor }
      let memory = try BlankMemory(byteCount: 4 * shape.elementCount)
      blank = memory
      return memory.tensor(shape) ?? .zeros(shape)
    }
  }

  /// The root of a construction.
  ///
  /// - Parameters:
  ///   - source: the tensors; nil to draw them all.
  ///   - frozenType: the format of matrices while they are frozen.
  ///   - quantization: that of frozen layers' matrices, but for heads and routers; nil for none.
  ///   - seed: drawn values depend on it and on their path.
  public init(
    source: (any WeightSource)?, catalog: SiteCatalog, frozenType: ElementFormat = .float32, quantization: WeightQuantization? = nil,
    seed: UInt64 = 0, isTrainable: Bool = false
  ) {
    path = ""
    construction = Construction(
      source: source, frozenType: frozenType, quantization: quantization, stream: RandomStream(seed: seed).split("parameters"),
      isTrainable: isTrainable, catalog: catalog)
    aliases = { _ in [] }
  }

  /// The root of a construction of which nothing but shapes is wanted: no weights are read or drawn, and no memory is taken for them.
  public init(outlining catalog: SiteCatalog) {
    path = ""
    construction = Construction(
      source: nil, frozenType: .float32, stream: RandomStream(seed: 0), isTrainable: false, catalog: catalog, isOutline: true)
    aliases = { _ in [] }
  }

  private init(path: String, construction: Construction, aliases: @escaping (String) -> [String]) {
    self.path = path
    self.construction = construction
    self.aliases = aliases
  }

  /// Returns the scope of a member of a module.
  public static func / (scope: Scope, name: String) -> Scope {
    Scope(path: scope.path.isEmpty ? name : "\(scope.path).\(name)", construction: scope.construction, aliases: scope.aliases)
  }

  /// The same scope, in which a source may hold paths under other names, too.
  /// - Parameter aliases: the other names of a full path, in order of preference.
  public func calling(_ aliases: @escaping (String) -> [String]) -> Scope { Scope(path: path, construction: construction, aliases: aliases) }

  /// Returns the scope of an element of a list.
  public static func / (scope: Scope, index: Int) -> Scope { scope / String(index) }

  /// The catalog that parameters and sites are entered in.
  public var catalog: SiteCatalog { construction.catalog }

  /// True where the source has a tensor here, under its own name or an alias.
  public func isInSource(_ name: String) -> Bool { ownName(of: (self / name).path) != nil }

  /// The names that this construction has taken from its source.
  public var consumedNames: Set<String> { construction.consumed }

  /// The source's name of a path: its own or an alias.
  func ownName(of full: String) -> String? {
    guard let source = construction.source else { return nil }
    return ([full] + aliases(full)).first(where: source.contains)
  }

  /// The source's name of a path, or of one that it is tied to.
  func sourceName(of full: String) -> String? {
    ownName(of: full) ?? construction.tied[full]?.lazy.compactMap(ownName).first
  }

  /// The parameter called `name` here: from the source where there is one, otherwise drawn.
  ///
  /// - Parameters:
  ///   - initializer: made only where the value is drawn.
  ///   - keepsType: true where a frozen one may stay in 16 bits (matrices); others are always float32 (norms, biases, deltas).
  ///   - fallsBack: true where a source that lacks it leaves it drawn, as a fresh classification head is.
  /// - Throws: `WeightError` where the source lacks it or holds another shape, and what the source throws.
  public func parameter(
    _ name: String, _ shape: Shape, _ initializer: @autoclosure () -> Initializer, keepsType: Bool = false, fallsBack: Bool = false
  ) throws -> Parameter {
    let isDrawn = fallsBack && construction.source != nil && !isInSource(name)
    let value = try value(name, shape, initializer(), fallsBack: fallsBack)
    let type = keepsType && !construction.isTrainable ? construction.frozenType : .float32
    let parameter = Parameter(path: (self / name).path, value: value.convertedReleasing(to: type), isTrainable: construction.isTrainable)
    catalog.add(parameter, isDrawn: isDrawn)
    return parameter
  }

  /// The table called `name` here: its rows are looked up exactly as the source has them, whatever the format of frozen matrices, in which
  /// products read it where a head shares it.
  ///
  /// In the source's own type or blocks it stays mapped, so that only rows which are looked up come into memory.
  /// - Throws: as `parameter` does.
  public func table(_ name: String, _ shape: Shape, _ initializer: Initializer) throws -> Parameter {
    if let blocks = try storedBlocks(name, shape) {
      let parameter = Parameter(path: (self / name).path, stored: .blocks(blocks), isTrainable: construction.isTrainable)
      catalog.add(parameter)
      return parameter
    }
    let value = try value(name, shape, initializer, fallsBack: false)
    let isFloat32 = construction.isTrainable || construction.frozenType == .float32 || ![.bfloat16, .float16].contains(value.dtype)
    let parameter = Parameter(
      path: (self / name).path, stored: .dense(isFloat32 ? value.convertedReleasing(to: .float32) : value), productFormat: construction.frozenType,
      isTrainable: construction.isTrainable)
    catalog.add(parameter)
    return parameter
  }

  /// A tensor that is part of the model but never trained, float32; its initial value where the source lacks it.
  /// - Throws: `WeightError` where the source holds another shape, and what the source throws.
  public func buffer(_ name: String, _ shape: Shape, _ initializer: Initializer) throws -> Tensor {
    try value(name, shape, initializer, fallsBack: true).converted(to: .float32)
  }

  /// The most elements of a tensor that is drawn: 4 TB of float32.
  private static let largestElementCount = 1 << 40

  /// Refuses values that cannot be had before any of them is drawn.
  private func requireMemory(for shape: Shape, _ name: String) throws(MemoryError) {
    let bytes = shape.dimensions.reduce(4.0) { $0 * Double($1) }
    // What is small is not worth asking the system for.
    guard bytes > Double(64 << 20), bytes > Double(AvailableMemory.bytes) else { return }
    throw MemoryError(
      "\(name): \(shape) takes \(Int(bytes / 1e6)) MB, and \(AvailableMemory.bytes / 1_000_000) MB are available; choose smaller sizes")
  }

  func value(_ name: String, _ shape: Shape, _ initializer: @autoclosure () -> Initializer, fallsBack: Bool) throws -> Tensor {
    let full = (self / name).path
    if let source = construction.source, !(fallsBack && sourceName(of: full) == nil) {
      guard let found = sourceName(of: full) else {
        throw WeightError("\(source.name): no tensor \(full) \(shape); the configuration asks for it")
      }
      let stored = try source.tensor(found)
      guard stored.shape == shape else {
        throw WeightError("\(source.name): \(found) has shape \(stored.shape); the configuration implies \(shape)")
      }
      guard stored.dtype.isFloatingPoint else {
        throw WeightError(
          "\(source.name): \(found) holds \(stored.dtype), a model is made of floating-point numbers; take the checkpoint as it was before it was quantized"
        )
      }
      construction.consumed.insert(found)
      return stored
    }
    guard let count = shape.checkedElementCount, count < Self.largestElementCount else {
      throw WeightError("\(full): \(shape) is more than any memory holds; choose smaller sizes")
    }
    guard !construction.isOutline else { return try construction.outlined(shape) }
    try requireMemory(for: shape, full)
    return initializer().makeTensor(shape, construction.stream.split(full))
  }
}
