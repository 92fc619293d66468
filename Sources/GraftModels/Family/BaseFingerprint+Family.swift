import GraftCheckpoints
import GraftJSON

extension BaseFingerprint {
  /// The part of a fingerprint that a `config.json` tells, read with the keys of its family.
  package init(ofModel configuration: JSON) {
    self.init(configuration: configuration, keys: ModelFamily.named(by: configuration)?.dimensions ?? .standard)
  }

  /// The fingerprint of a model on disk. Reads all of its weights, on every core.
  /// - Throws: `CheckpointError` of kind `missing` or `malformed` about `config.json`.
  package init(ofModel checkpoint: Checkpoint) throws(CheckpointError) {
    try self.init(of: checkpoint, keys: ModelFamily.named(by: try checkpoint.configuration())?.dimensions ?? .standard)
  }
}
