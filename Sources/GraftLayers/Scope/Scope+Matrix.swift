import GraftErrors
import GraftTensors

extension Scope {
  /// The matrix of a layer called `name` here: quantized as the source holds it, or as the construction asks for, or a dense parameter.
  ///
  /// - Parameters:
  ///   - shape: `[out, in]`, or as `layout` says.
  ///   - layout: the order of the axes; blocks are quantized output by output in any.
  ///   - isQuantized: true where the construction's quantization applies, as it does to what is no head.
  ///   - fallsBack: true where a source that lacks it leaves it drawn.
  /// - Throws: as `parameter` does, and `WeightError` where elements cannot be quantized.
  func matrix(
    _ name: String, _ shape: Shape, _ layout: WeightLayout, _ initializer: Initializer, isQuantized: Bool, fallsBack: Bool
  ) throws -> Parameter {
    guard let blocks = try blocks(name, shape, layout, initializer, isQuantized: isQuantized) else {
      return try parameter(name, shape, initializer, keepsType: true, fallsBack: fallsBack)
    }
    let parameter = Parameter(
      path: (self / name).path, stored: .blocks(layout == .outputByInput ? blocks : TransposedBlocks.transpose(of: blocks)),
      isTrainable: construction.isTrainable)
    catalog.add(parameter)
    return parameter
  }

  /// The matrices of all experts called `name` here: quantized as the source holds them, or as the construction asks for, or a dense parameter.
  ///
  /// - Parameter shape: `[experts, in, out]`; blocks are quantized output by output.
  /// - Throws: as `matrix` does.
  package func matrices(_ name: String, _ shape: Shape, _ initializer: Initializer) throws -> Parameter {
    guard let blocks = try storedBlocks(name, shape) ?? quantizedExperts(name, shape, initializer) else {
      return try parameter(name, shape, initializer, keepsType: true)
    }
    let parameter = Parameter(path: (self / name).path, stored: .blocks(blocks), isTrainable: construction.isTrainable)
    catalog.add(parameter)
    return parameter
  }

  private func quantizedExperts(_ name: String, _ shape: Shape, _ initializer: Initializer) throws -> StackedBlocks? {
    guard let quantization = construction.quantization, !construction.isTrainable, !construction.isOutline else { return nil }
    guard quantization.format(columns: shape[1]) != nil else { return nil }
    let all = try value(name, shape, initializer, fallsBack: false)
    return StackedBlocks(
      try (0..<shape[0]).map { expert in
        let matrix = all.rows(expert..<expert + 1).reshaped(to: [shape[1], shape[2]]).converted(to: .float32).transposed
        do { return TransposedBlocks(try quantization.encode(matrix)) } catch {
          throw WeightError("\(construction.source?.name ?? "weights"): \((self / name).path) \(error)")
        }
      })
  }

  /// The matrix in blocks, `[out, in]`; nil where it is dense.
  private func blocks(
    _ name: String, _ shape: Shape, _ layout: WeightLayout, _ initializer: Initializer, isQuantized: Bool
  ) throws -> (any BlockMatrix)? {
    let stored: Shape = layout == .outputByInput ? shape : [shape[1], shape[0]]
    if let blocks = try storedBlocks(name, stored) { return blocks }
    guard isQuantized, let quantization = construction.quantization, !construction.isTrainable, !construction.isOutline else { return nil }
    guard quantization.format(columns: stored[1]) != nil else { return nil }
    let value = try value(name, shape, initializer, fallsBack: false)
    do {
      return try quantization.encode(layout == .outputByInput ? value : value.converted(to: .float32).transposed)
    } catch {
      throw WeightError("\(construction.source?.name ?? "weights"): \((self / name).path) \(error)")
    }
  }

  /// The blocks that the source has of a matrix or table called `name` here; nil where it has none, or other numbers.
  /// - Throws: `WeightError` where it holds another shape, and what the source throws.
  func storedBlocks(_ name: String, _ shape: Shape) throws -> (any BlockMatrix)? {
    guard let source = construction.source, let found = sourceName(of: (self / name).path), case .blocks(let blocks) = try source.weight(found) else {
      return nil
    }
    guard blocks.shape == shape else {
      throw WeightError("\(source.name): \(found) has shape \(blocks.shape); the configuration implies \(shape)")
    }
    construction.consumed.insert(found)
    return blocks
  }
}
