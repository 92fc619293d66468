import GraftJSON

extension ArchitectureConfiguration {
  /// The window of each layer, nil for a layer that sees everything: by the list of kinds of layers, or by the number of the first that
  /// has a window.
  /// - Parameter period: the number of layers of which the last sees everything, in a family that has it so where there is no list.
  /// - Throws: `ArchitectureError` for a kind that is unknown, and a list of another length.
  func windows(layers: Int, period: Int? = nil) throws(ArchitectureError) -> [Int?] {
    let isOn = try bool("use_sliding_window", default: true)
    let window = isOn ? try optionalCount("sliding_window") : nil
    guard contains("layer_types") else {
      let first = try int("max_window_layers", default: 0)
      if let period { return (1...layers).map { $0 % period == 0 ? nil : window } }
      return (0..<layers).map { $0 >= first ? window : nil }
    }
    let types = json["layer_types"]?.array ?? []
    guard types.count == layers else { throw fail("layer_types", "lists \(types.count) layers of \(layers)") }
    var windows: [Int?] = []
    for type in types {
      switch type.string {
      case "full_attention", "attention": windows.append(nil)
      case "sliding_attention" where window != nil: windows.append(window)
      default:
        throw fail(
          "layer_types", "unsupported \(type.serialized()) here; a layer has full_attention, or sliding_attention where there is a window")
      }
    }
    return windows
  }
}
