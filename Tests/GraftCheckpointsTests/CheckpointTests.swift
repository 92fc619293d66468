import Foundation
import GraftCheckpoints
import GraftJSON
import GraftTensors
import GraftTestSupport
import Testing

@Suite("Model directories")
struct CheckpointTests {
  static func golden() throws -> JSON { try JSON(parsing: bytes(of: fixture("model.json"))) }

  @Test("single and sharded checkpoints hold the same", arguments: ["single", "sharded"])
  func reads(folder: String) throws {
    let checkpoint = try Checkpoint(directory: fixture(folder) + "/")
    let sums = try #require(try Self.golden()["sums"]?.object)
    #expect(Set(checkpoint.tensorNames) == Set(sums.keys))
    #expect(checkpoint.files.count == (folder == "single" ? 1 : 4))
    #expect(checkpoint.unlistedTensors.isEmpty)
    for (name, sum) in sums {
      #expect(checkpoint.contains(name))
      let actual = try checkpoint.tensor(name).values.reduce(0.0) { $0 + Double($1) }
      #expect(abs(actual - (sum.double ?? .nan)) < 1e-6)
    }
    #expect(try checkpoint.configuration()["model_type"] == "llama")
    #expect(!checkpoint.contains("nothing"))
    expectError(.malformed, "no tensor 'nothing'") { try checkpoint.tensor("nothing") }
  }

  @Test("a directory without weights says what it would take")
  func missing() throws {
    let folder = try TemporaryDirectory()
    expectError(.missing, "no model.safetensors or model.safetensors.index.json in \(folder.path)") {
      try Checkpoint(directory: folder.path)
    }
    expectError(.missing, "no such directory") { try Checkpoint(directory: folder.file("none")) }
    let file = try folder.write([1], to: "pytorch_model.bin")
    expectError(.malformed, "is no zip file") { try Checkpoint(directory: folder.path) }
    expectError(.missing, "is a file") { try Checkpoint(directory: file) }
    expectError(.missing, "adapter") { try Checkpoint(directory: fixture("peft")) }
    expectError(.missing, "config.json") { try Checkpoint.configuration(in: folder.path) }
    _ = try folder.write("{\"a\": 1,\n}".utf8, to: "config.json")
    expectError(.malformed, "config.json:2:1") { try Checkpoint.configuration(in: folder.path) }
  }

  /// A copy of the sharded fixture whose first shard goes by `name`.
  static func sharded(_ folder: TemporaryDirectory, firstShardNamed name: String, in directory: String = "model") throws
    -> String
  {
    let model = folder.file(directory)
    try FileManager.default.createDirectory(atPath: model, withIntermediateDirectories: true)
    for entry in try FileManager.default.contentsOfDirectory(atPath: fixture("sharded")) {
      try FileManager.default.copyItem(atPath: fixture("sharded/\(entry)"), toPath: "\(model)/\(entry)")
    }
    let index = String(decoding: try bytes(of: fixture("sharded/model.safetensors.index.json")), as: UTF8.self)
    let changed = index.replacingOccurrences(of: "model-00001-of-00004.safetensors", with: name)
    _ = try folder.write(changed.utf8, to: "\(directory)/model.safetensors.index.json")
    return model
  }

  @Test(
    "shards must be bare file names",
    arguments: [
      "../model-00001-of-00004.safetensors", "/etc/model.safetensors", "..", ".", "", "sub/model.safetensors",
      "a\\\\b.safetensors",
      "./model-00001-of-00004.safetensors", "passwd", "a\\u0000.safetensors",
    ])
  func pathAttacks(name: String) throws {
    let folder = try TemporaryDirectory()
    let model = try Self.sharded(folder, firstShardNamed: name)
    expectError(.malformed, "no bare .safetensors file name") { try Checkpoint(directory: model) }
  }

  @Test("a shard may be a link inside the directory or into a hub cache's blobs, but nowhere else")
  func links() throws {
    let folder = try TemporaryDirectory()
    let model = try Self.sharded(folder, firstShardNamed: "link.safetensors")
    let manager = FileManager.default
    try manager.createSymbolicLink(
      atPath: "\(model)/link.safetensors", withDestinationPath: "model-00001-of-00004.safetensors")
    #expect(throws: Never.self) { try Checkpoint(directory: model) }
    try manager.removeItem(atPath: "\(model)/link.safetensors")
    try manager.moveItem(
      atPath: "\(model)/model-00001-of-00004.safetensors", toPath: folder.file("outside.safetensors"))
    try manager.createSymbolicLink(atPath: "\(model)/link.safetensors", withDestinationPath: "../outside.safetensors")
    expectError(.malformed, "leaves the directory") { try Checkpoint(directory: model) }
    try manager.removeItem(atPath: "\(model)/link.safetensors")
    expectError(.missing, "link.safetensors") { try Checkpoint(directory: model) }

    try manager.createDirectory(atPath: folder.file("snapshots"), withIntermediateDirectories: false)
    try manager.createDirectory(atPath: folder.file("blobs"), withIntermediateDirectories: false)
    try manager.moveItem(atPath: model, toPath: folder.file("snapshots/revision"))
    try manager.moveItem(atPath: folder.file("outside.safetensors"), toPath: folder.file("blobs/abcdef"))
    try manager.createSymbolicLink(
      atPath: folder.file("snapshots/revision/link.safetensors"), withDestinationPath: "../../blobs/abcdef")
    #expect(throws: Never.self) { try Checkpoint(directory: folder.file("snapshots/revision")) }
  }

  @Test("index and shards must agree")
  func indexAgreement() throws {
    let folder = try TemporaryDirectory()
    let wrong = try Self.sharded(folder, firstShardNamed: "model-00002-of-00004.safetensors", in: "wrong")
    expectError(.malformed, "where it is not") { try Checkpoint(directory: wrong) }

    let model = try Self.sharded(folder, firstShardNamed: "model-00001-of-00004.safetensors")
    try SafetensorsWriter.write(
      [("model.norm.weight", Tensor([1], [1])), ("extra", Tensor([1], [1]))], to: "\(model)/extra.safetensors")
    let index = try JSON(parsing: bytes(of: "\(model)/model.safetensors.index.json"))
    var map = try #require(index["weight_map"]?.object)
    map["extra"] = "extra.safetensors"
    _ = try folder.write(
      JSON.object(["weight_map": .object(map)]).serializedBytes(), to: "model/model.safetensors.index.json")
    let checkpoint = try Checkpoint(directory: model)
    #expect(checkpoint.unlistedTensors == ["model.norm.weight"])
    #expect(try checkpoint.tensor("model.norm.weight").shape == [8])

    for text in ["{}", "{\"weight_map\": {}}", "{\"weight_map\": {\"a\": 1}}", "[]", "{\"weight_map\": {\"a\": \"b\""] {
      _ = try folder.write(text.utf8, to: "model/model.safetensors.index.json")
      expectError(.malformed) { try Checkpoint(directory: model) }
    }
  }

  @Test("a vocabulary of RWKV's World models makes way like any tokenizer's file")
  func replacesVocabularies() throws {
    let folder = try TemporaryDirectory()
    let base = try Checkpoint(directory: fixture("single"))
    try folder.write("1 'a' 1".utf8, to: "model/rwkv_vocab_v20230424.txt")
    let replacement = try ModelDirectoryWriter.replaceable(copyingFilesFrom: nil)
    try ModelDirectoryWriter(directory: folder.file("model"), replacing: replacement).write(base.descriptions) { try base.tensor($0.name) }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.file("model")) == ["model.safetensors"])
  }

  @Test("writes what it reads, in one file or in shards, and replaces the other", arguments: [nil, 600, 1])
  func writes(maximumShardBytes: Int?) throws {
    let folder = try TemporaryDirectory()
    let base = try Checkpoint(directory: fixture("single"))
    let output = folder.file("deep/model")
    for limit in [600, nil, maximumShardBytes] {
      try ModelDirectoryWriter(
        directory: output, maximumShardBytes: limit, replacing: ModelDirectoryWriter.replaceable(copyingFilesFrom: base.directory)
      ).write(
        base.descriptions, copyingFilesFrom: base.directory
      ) { try base.tensor($0.name) }
    }
    let written = try Checkpoint(directory: output)
    #expect(Set(written.tensorNames) == Set(base.tensorNames))
    for name in base.tensorNames { #expect(try bits(written.tensor(name)) == bits(base.tensor(name))) }
    #expect(try bytes(of: "\(output)/config.json") == bytes(of: fixture("single/config.json")))
    #expect(try bytes(of: "\(output)/generation_config.json") == bytes(of: fixture("single/generation_config.json")))
    let entries = try FileManager.default.contentsOfDirectory(atPath: output).sorted()
    switch maximumShardBytes {
    case nil:
      #expect(entries == ["config.json", "generation_config.json", "model.safetensors"])
      #expect(try bytes(of: "\(output)/model.safetensors") == bytes(of: fixture("single/model.safetensors")))
    case 1: #expect(written.files.count == base.tensorNames.count)
    default:
      #expect(
        written.files.allSatisfy {
          $0.descriptions.reduce(0) { $0 + $1.byteCount } <= 600 || $0.descriptions.count == 1
        })
    }
    #expect(try BaseFingerprint(of: written, keys: .standard).weightsSHA256 == BaseFingerprint(of: base, keys: .standard).weightsSHA256)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.file("deep")) == ["model"])
  }

  @Test("a model that cannot be finished leaves nothing")
  func writesNothingOnFailure() throws {
    struct Failure: Error {}
    let folder = try TemporaryDirectory()
    let descriptions = try Checkpoint(directory: fixture("single")).descriptions
    #expect(throws: Failure.self) {
      try ModelDirectoryWriter(directory: folder.file("model")).write(descriptions) { _ in throw Failure() }
    }
    #expect(folder.entries.isEmpty)
  }
}
