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
      path: (self / name).path, stored: .blocks(layout == .outputByInput ? blocks : TransposedBlocks(blocks)), isTrainable: construction.isTrainable)
    catalog.add(parameter)
    return parameter
  }

  /// The matrix in blocks, `[out, in]`; nil where it is dense.
  private func blocks(
    _ name: String, _ shape: Shape, _ layout: WeightLayout, _ initializer: Initializer, isQuantized: Bool
  ) throws -> (any BlockMatrix)? {
    let full = (self / name).path
    let stored: Shape = layout == .outputByInput ? shape : [shape[1], shape[0]]
    if let source = construction.source, let found = sourceName(of: full), case .blocks(let blocks) = try source.weight(found) {
      guard blocks.shape == stored else {
        throw WeightError("\(source.name): \(found) has shape \(blocks.shape); the configuration implies \(stored)")
      }
      construction.consumed.insert(found)
      return blocks
    }
    guard isQuantized, let quantization = construction.quantization, !construction.isTrainable, !construction.isOutline else { return nil }
    let value = try value(name, shape, initializer, fallsBack: false)
    do {
      return try quantization.encode(layout == .outputByInput ? value : value.converted(to: .float32).transposed)
    } catch {
      throw WeightError("\(construction.source?.name ?? "weights"): \(full) \(error)")
    }
  }
}
