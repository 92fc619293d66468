import GraftCheckpoints
import GraftJSON
import GraftTensors

/// A model's configuration and its architecture in llama.cpp.
package struct GGUFBase {
  package let architecture: GGUFArchitecture
  /// The model's `config.json` as Transformers reads it.
  package let configuration: ArchitectureConfiguration
  /// The `config.json` as it is.
  package let json: JSON

  /// - Parameter source: the file, for messages.
  /// - Throws: `ArchitectureError` for a family without a counterpart in llama.cpp, and for a damaged configuration.
  package init(_ json: JSON, source: String) throws {
    let config = ArchitectureConfiguration(json, source: source)
    let family = try ModelFamily.named(by: config)
    let resolved = try config.resolved(as: family)
    architecture = try ModelFamily.gguf(of: family.modelType, source: source)
    configuration = resolved
    self.json = json
  }

  /// The rows of a module's tensor in llama.cpp's order.
  package func rows(of tensor: Tensor, in module: String) throws -> Tensor {
    try architecture.rowOrder(of: module, configuration).map { Self.gathered(tensor, $0) } ?? tensor
  }

  /// The rows of a module's tensor in llama.cpp's file in Transformers' order.
  func originalRows(of tensor: Tensor, in module: String) throws -> Tensor {
    guard let order = try architecture.rowOrder(of: module, configuration) else { return tensor }
    var places = [Int32](repeating: 0, count: order.count)
    for (place, row) in order.enumerated() { places[Int(row)] = Int32(place) }
    return Self.gathered(tensor, places)
  }

  private static func gathered(_ tensor: Tensor, _ rows: [Int32]) -> Tensor {
    let count = tensor.shape[0]
    let matrix = tensor.converted(to: .float32).reshaped(to: [count, tensor.elementCount / count])
    return gatherRows(matrix, Tensor(rows)).reshaped(to: tensor.shape)
  }
}

extension ModelFamily {
  /// The architecture of a `model_type` in llama.cpp.
  /// - Parameter source: the file, for messages.
  /// - Throws: `ArchitectureError` for a family without one.
  package static func gguf(of modelType: String, source: String) throws(ArchitectureError) -> GGUFArchitecture {
    guard let architecture = registry[modelType]?.gguf else {
      let known = registry.entries.filter { $0.gguf != nil }.map(\.modelType).sorted().joined(separator: ", ")
      throw ArchitectureError("\(source): GGUF files are written for \(known), not for \(modelType)")
    }
    return architecture
  }
}
