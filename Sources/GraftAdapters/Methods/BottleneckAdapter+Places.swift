import GraftLayers

extension BottleneckAdapter {
  /// The last layers of the halves of blocks, with AdapterHub's names for what is put there.
  func places(in sites: SiteCatalog, _ settings: Settings) throws(TuningError) -> [(layer: Linear, key: String)] {
    let chosen = sites.sites.compactMap { site -> (layer: Linear, key: String)? in
      guard let linear = site.linear, !Self.isCrossAttention(site.path), !leaveOut.contains(Self.layerNumber(of: site.path)) else { return nil }
      switch site.role {
      case .attentionOutput where settings.afterAttention: return (linear, Self.key(for: site.path, "attention_adapters"))
      case .down where settings.afterFeedForward: return (linear, Self.key(for: site.path, "output_adapters"))
      default: return nil
      }
    }
    guard !chosen.isEmpty else {
      throw TuningError("ADAPTER: \(sites.modelType ?? "this model") has no place for one; check mh_adapter, output_adapter and leave_out")
    }
    return chosen
  }

  /// - Throws: `TuningError` for a model whose halves end in a norm or in several experts, so that no layer joins the residual stream.
  func requireResidualStream(_ sites: SiteCatalog) throws(TuningError) {
    let ends = ["post_feedforward_layernorm", "post_mlp_layernorm", "post_self_attn_layernorm"]
    let isNormed = sites.sites.contains { site in ends.contains { site.path.hasSuffix($0) } }
    let isMixed = sites.sites.contains { $0.path.contains(".experts") }
    guard !isNormed && !isMixed else {
      let name = sites.modelType ?? "this model"
      throw TuningError("ADAPTER: is not available for \(name), whose halves of blocks do not end in one linear layer; use LORA")
    }
  }

  /// The norm that models of the original kind, such as BERT, apply to the sum.
  func normAfter(_ layer: Linear, in sites: SiteCatalog) -> Norm? {
    let norms = [
      (".dense", ".LayerNorm"), (".ffn.lin2", ".output_layer_norm"), (".attention.out_lin", ".sa_layer_norm"), (".fc2", ".final_layer_norm"),
      (".self_attn.out_proj", ".self_attn_layer_norm"),
    ]
    guard let (end, norm) = norms.first(where: { layer.path.hasSuffix($0.0) }) else { return nil }
    let path = layer.path.dropLast(end.count) + norm
    return sites.sites.first { $0.path == path }?.norm
  }

  private static func isCrossAttention(_ path: String) -> Bool {
    ["EncDecAttention", "encoder_attn", "crossattention"].contains { path.contains($0) }
  }

  /// The number of the layer that a module is in; -1 outside of layers.
  static func layerNumber(of path: String) -> Int { path.split(separator: ".").lazy.compactMap { Int($0) }.first ?? -1 }

  /// The module in which AdapterHub keeps what is put behind a layer.
  static func module(of layer: Linear) -> String { key(for: layer.path, layer.role == .attentionOutput ? "attention_adapters" : "output_adapters") }

  /// `model.layers.0.mlp.down_proj` becomes `model.layers.0.output_adapters`; BERT's and T5's layers keep them inside.
  private static func key(for path: String, _ group: String) -> String {
    let outer = path.split(separator: ".").dropLast()
    if path.hasSuffix(".dense") { return outer.joined(separator: ".") }
    let block = outer.last.flatMap { Int($0) } == nil ? outer.dropLast() : outer
    let isInside = outer.last == "SelfAttention" || outer.last == "DenseReluDense"
    return (isInside ? block : block + [Substring(group)]).joined(separator: ".")
  }
}
