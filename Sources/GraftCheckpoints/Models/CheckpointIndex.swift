import Foundation
import GraftJSON

/// `model.safetensors.index.json`, or its like for PyTorch's files: the shard that holds each tensor.
struct CheckpointIndex {
  let path: String
  private let form: WeightForm
  /// In the order of the file.
  let shardOfTensor: [(tensor: String, shard: String)]

  /// - Throws: `CheckpointError` of kind `missing` or `malformed`.
  init(in directory: String, of form: WeightForm) throws(CheckpointError) {
    let path = "\(directory)/\(form.indexName)"
    (self.path, self.form) = (path, form)
    guard let map = try readJSON(path)["weight_map"]?.object, !map.isEmpty else {
      throw .malformed(path, "has no weight_map", remedy: "fetch the checkpoint again")
    }
    var shardOfTensor: [(String, String)] = []
    for (tensor, shard) in map {
      guard let shard = shard.string else { throw .malformed(path, "the shard of '\(tensor)' is no file name") }
      shardOfTensor.append((tensor, shard))
    }
    self.shardOfTensor = shardOfTensor
  }

  /// The shards, each once, sorted.
  var shardNames: [String] { Set(shardOfTensor.map(\.shard)).sorted() }

  /// Refuses names that lead out of the directory, directly or through a symbolic link.
  ///
  /// Links into the `blobs` beside `snapshots` are how a Hugging Face cache stores every file, and allowed.
  func validateShardName(_ name: String, in directory: String) throws(CheckpointError) {
    let isBareName =
      !name.isEmpty && name != "." && name != ".." && !name.utf8.contains { $0 == 0x2F || $0 == 0x5C || $0 < 0x20 }
    guard isBareName, name.hasSuffix(form.ending) else {
      throw .malformed(
        path, "names the shard '\(name)', which is no bare \(form.ending) file name",
        remedy: "do not trust this checkpoint")
    }
    let shard = "\(directory)/\(name)"
    guard let home = Self.resolved(directory), let target = Self.resolved(shard) else {
      throw CheckpointError(
        .missing, shard, "no such file, but \(form.indexName) names it", remedy: "fetch the missing shard")
    }
    var allowed = [home]
    if home.parentDirectory.lastComponent == "snapshots" {
      allowed.append(home.parentDirectory.parentDirectory + "/blobs")
    }
    guard allowed.contains(where: { target.hasPrefix($0 == "/" ? "/" : $0 + "/") }) else {
      throw .malformed(
        path, "the shard '\(name)' is a link that leaves the directory",
        remedy: "replace the link by the file if you trust it")
    }
  }

  /// Opens a shard, whose name is valid.
  ///
  /// - Throws: `CheckpointError` of kind `missing` or `malformed`.
  func open(_ name: String, in directory: String) throws(CheckpointError) -> any WeightFile {
    try validateShardName(name, in: directory)
    return try form.open("\(directory)/\(name)")
  }

  private static func resolved(_ path: String) -> String? {
    guard let resolved = realpath(path, nil) else { return nil }
    defer { free(resolved) }
    return String(cString: resolved)
  }
}
