import GraftCheckpoints
import GraftLayers
import GraftTensors

/// A model's tensors under Transformers' names and under llama.cpp's, and the way from one form to the other.
package struct GGUFTensorMap {
  /// A tensor in both forms.
  package struct Entry {
    /// The parameter's path, such as `model.layers.0.self_attn.q_proj.weight`, and its name in the file.
    package let path: String, name: String
    /// The shape in Transformers' form.
    package let shape: [Int]
    /// True where Transformers has the matrix input by output.
    let isInputFirst: Bool
    /// The number added to the elements in the file.
    let offset: Float

    /// The shape in the file.
    package var storedShape: [Int] { isInputFirst ? shape.reversed() : shape }
    /// True for what llama.cpp always has in float32.
    package var isExact: Bool { shape.count == 1 || name.hasPrefix("position_embd.") }
    /// The path without the end that names the parameter in its module.
    var module: String { path.split(separator: ".").dropLast().joined(separator: ".") }
  }

  /// The tensors in the order in which the model has them.
  package let entries: [Entry]
  private let base: GGUFBase

  /// - Parameters:
  ///   - catalog: the model's, or its outline's.
  ///   - model: the model's description in llama.cpp.
  /// - Throws: `ArchitectureError` for a parameter that llama.cpp has no counterpart of.
  package init(_ catalog: SiteCatalog, _ base: GGUFBase, _ model: GGUFModel) throws(ArchitectureError) {
    self.base = base
    let inputFirst = Set(catalog.linears.filter { $0.layout == .inputByOutput }.map(\.weight.path))
    let norms = model.normOffset == 0 ? [] : Set(catalog.sites.compactMap { $0.norm?.weight.path })
    var entries: [Entry] = []
    for parameter in catalog.parameters {
      let end = parameter.path.hasSuffix(".bias") ? ".bias" : ".weight"
      guard let module = base.architecture.name(of: String(parameter.path.dropLast(end.count))) else {
        throw base.configuration.withoutCounterpart(parameter.path)
      }
      entries.append(
        Entry(
          path: parameter.path, name: module + end, shape: parameter.shape.dimensions, isInputFirst: inputFirst.contains(parameter.path),
          offset: norms.contains(parameter.path) ? model.normOffset : 0))
    }
    self.entries = entries
  }

  /// Returns a tensor as the file holds it: output first, rows in llama.cpp's order, norms with their offset.
  package func stored(_ tensor: Tensor, of entry: Entry) throws -> Tensor {
    var value = tensor
    if entry.isInputFirst { value = value.converted(to: .float32).transposed }
    value = try base.rows(of: value, in: entry.module)
    if entry.offset != 0 { value = value.converted(to: .float32) + Tensor(repeating: entry.offset, shape: value.shape) }
    return value
  }

  /// Returns the bytes of a matrix in blocks as the file holds it: rows in llama.cpp's order.
  package func stored(_ blocks: GGMLMatrix, of entry: Entry) throws -> Tensor {
    try base.architecture.rowOrder(of: entry.module, base.configuration).map(blocks.rows(in:))?.bytes ?? blocks.bytes
  }

  /// Returns a tensor of the file as Transformers has it, in float32 where it had to be changed.
  package func restored(_ tensor: Tensor, of entry: Entry) throws -> Tensor {
    var value = tensor
    if entry.offset != 0 { value = value.converted(to: .float32) + Tensor(repeating: -entry.offset, shape: value.shape) }
    value = try base.originalRows(of: value, in: entry.module)
    return entry.isInputFirst ? value.converted(to: .float32).transposed : value
  }
}
