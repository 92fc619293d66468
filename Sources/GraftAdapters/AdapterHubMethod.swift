import GraftJSON
import GraftLayers

/// A method that AdapterHub's library has, too.
public protocol AdapterHubMethod: TuningMethod {
  /// The method's part of that library's `adapter_config.json`, with the keys that it writes.
  /// - Throws: `TuningError` for a value that is out of range.
  func adapterHubConfiguration() throws(TuningError) -> JSON
}
