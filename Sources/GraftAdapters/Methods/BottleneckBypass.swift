import GraftJSON
import GraftLayers
import GraftTensors

/// The place at which the way around a bottleneck begins: AdapterHub's `residual_before_ln`.
public enum BottleneckBypass: Codable, Sendable, Hashable {
  /// At the half's output `h`: `f(z) + h + x`.
  case beforeNorm
  /// At the sum: `f(z) + (h + x) + x`.
  case behindSum
  /// At the bottleneck's own input: `f(z) + z + x`.
  case behindNorm

  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let value = try? container.decode(Bool.self) {
      self = value ? .beforeNorm : .behindNorm
    } else if try container.decode(String.self) == "post_add" {
      self = .behindSum
    } else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "unknown residual_before_ln; use true, false or post_add")
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .beforeNorm: try container.encode(true)
    case .behindSum: try container.encode("post_add")
    case .behindNorm: try container.encode(false)
    }
  }

  /// The value that AdapterHub writes.
  var json: JSON {
    switch self {
    case .beforeNorm: true
    case .behindSum: "post_add"
    case .behindNorm: false
    }
  }
}

extension BottleneckAdapter {
  /// Puts a bottleneck where a half ends, or behind its whole block where no norm is to follow.
  /// - Throws: `TuningError` for a combination that would lose the residual stream, or add it twice.
  func place(_ part: BottleneckPart, at layer: Linear, _ settings: Settings, of sites: SiteCatalog, _ attachment: Attachment) throws(TuningError) {
    let norm = normAfter(layer, in: sites)
    guard settings.isNormedAfter else { return try placeBehind(part, layer, norm, settings, of: sites, attachment) }
    guard settings.bypass == .beforeNorm || settings.readsSum && !settings.isParallel else {
      throw TuningError("residual_before_ln: \(settings.bypass.json.serialized()) is for a bottleneck that reads the sum; set original_ln_before")
    }
    let input: BottleneckResidual.Input = settings.isParallel ? .residual : settings.readsSum ? .sum(norm: norm) : .output
    try attachment.fill(layer, with: BottleneckResidual(part, input: input, bypass: settings.bypass))
  }

  private func placeBehind(
    _ part: BottleneckPart, _ layer: Linear, _ norm: Norm?, _ settings: Settings, of sites: SiteCatalog, _ attachment: Attachment
  ) throws(TuningError) {
    guard settings.readsSum, settings.bypass == .behindNorm, !settings.isParallel else {
      throw TuningError("original_ln_after: false loses the residual stream unless original_ln_before is true and residual_before_ln false")
    }
    guard norm != nil else { return try attachment.fill(layer, with: BottleneckResidual(part, input: .sum(norm: nil))) }
    guard layer.role == .down, let block = sites.sites.lazy.compactMap(\.block).first(where: { layer.path.hasPrefix($0.path + ".") }) else {
      throw TuningError("original_ln_after: \(layer.path): false is for bottlenecks behind whole layers; set mh_adapter to false")
    }
    try attachment.fill(block, with: BottleneckBehindBlock(part))
  }
}
