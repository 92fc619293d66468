import Foundation
import GraftCheckpoints
import GraftJSON
import GraftTestSupport
import Testing

@Suite("Files and directories that appear whole")
struct AtomicOutputTests {
  private func write(_ names: [String: String], to path: String, replacing replacement: AtomicDirectory.Replacement = .none) throws {
    let output = try AtomicDirectory(at: path, replacing: replacement)
    for (name, text) in names { try AtomicFile.write(text.utf8, to: "\(output.temporaryPath)/\(name)") }
    try output.commit()
  }

  private func name(of output: AtomicDirectory) -> String { String(output.temporaryPath.split(separator: "/").last ?? "") }

  private func contents(_ path: String) throws -> [String: String] {
    Dictionary(
      uniqueKeysWithValues: try FileManager.default.contentsOfDirectory(atPath: path).map {
        ($0, String(decoding: try bytes(of: "\(path)/\($0)"), as: UTF8.self))
      })
  }

  @Test("a directory is replaced as a whole, with nothing of the old one in it or beside it")
  func replaces() throws {
    let folder = try TemporaryDirectory()
    let place = folder.file("out")
    try write(["a": "1", "b": "1"], to: place)
    try write(["b": "2", "c": "2"], to: place, replacing: .any)
    #expect(try contents(place) == ["b": "2", "c": "2"])
    #expect(folder.entries == ["out"])
    let unfinished = try AtomicDirectory(at: place, replacing: .any)
    try AtomicFile.write("3".utf8, to: unfinished.temporaryPath + "/c")
    unfinished.discard()
    #expect(try contents(place) == ["b": "2", "c": "2"])
    #expect(folder.entries == ["out"])
  }

  @Test("only an empty directory makes way unasked, and only one of known entries where asked")
  func refuses() throws {
    let folder = try TemporaryDirectory()
    let place = folder.file("out")
    try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
    try write(["a": "1"], to: place)
    expectError(.cannotCreate, "not empty") { try write(["a": "2"], to: place) }
    _ = try folder.write("mine".utf8, to: "out/notes.txt")
    expectError(.cannotCreate, "'notes.txt'") { try write(["a": "2"], to: place, replacing: .holding { $0 == "a" }) }
    #expect(try contents(place) == ["a": "1", "notes.txt": "mine"])
    _ = try folder.write("x".utf8, to: "file")
    expectError(.cannotCreate, "in the way") { try write(["a": "2"], to: folder.file("file"), replacing: .any) }
    #expect(Set(folder.entries) == ["file", "out"])
  }

  @Test("what a killed process left is removed by the next one, and what another one is writing is not")
  func sweeps() throws {
    let folder = try TemporaryDirectory()
    let place = folder.file("out")
    _ = try folder.write("half".utf8, to: ".out.partial-abcdef/weights")
    _ = try folder.write("half".utf8, to: ".file.partial-abcdef")
    _ = try folder.write("other".utf8, to: ".outer.partial-abcdef")
    let living = try AtomicDirectory(at: place, replacing: .none)
    #expect(Set(folder.entries) == [".file.partial-abcdef", ".outer.partial-abcdef", name(of: living)])
    try write(["a": "1"], to: place)
    try AtomicFile.write("whole".utf8, to: folder.file("file"))
    #expect(Set(folder.entries) == [".outer.partial-abcdef", name(of: living), "file", "out"])
    living.discard()
  }

  @Test("a directory that was put aside when its writer was killed comes back")
  func bringsBack() throws {
    let folder = try TemporaryDirectory()
    let place = folder.file("out")
    _ = try folder.write("old".utf8, to: ".out.replaced-000042/a")
    expectError(.cannotCreate, "not empty") { try write(["a": "1"], to: place) }
    #expect(try contents(place) == ["a": "old"])
    #expect(folder.entries == ["out"])
  }

  @Test("links are followed: what they lead to is replaced, and they stay")
  func followsLinks() throws {
    let folder = try TemporaryDirectory()
    try write(["a": "1"], to: folder.file("real"))
    _ = try folder.write("1".utf8, to: "file")
    for (link, target) in [("link", "real"), ("file-link", "file")] {
      try FileManager.default.createSymbolicLink(atPath: folder.file(link), withDestinationPath: folder.file(target))
    }
    try write(["b": "2"], to: folder.file("link"), replacing: .any)
    try AtomicFile.write("2".utf8, to: folder.file("file-link"))
    #expect(try contents(folder.file("real")) == ["b": "2"])
    #expect(try bytes(of: folder.file("file")) == Array("2".utf8))
    for link in ["link", "file-link"] {
      #expect(try FileManager.default.attributesOfItem(atPath: folder.file(link))[.type] as? FileAttributeType == .typeSymbolicLink)
    }
  }

  @Test("devices, pipes and directories are no files to replace")
  func refusesOtherFiles() throws {
    let folder = try TemporaryDirectory()
    let pipe = folder.file("pipe")
    #expect(mkfifo(pipe, 0o600) == 0)
    for path in ["/dev/null", "/dev/full", pipe] {
      expectError(.cannotCreate, "a device or a pipe") { try AtomicFile.write("x".utf8, to: path) }
      expectError(.cannotCreate) { _ = try AtomicDirectory(at: path, replacing: .any) }
    }
    expectError(.cannotCreate, "is a directory") { try AtomicFile.write("x".utf8, to: folder.file("")) }
    #expect(folder.entries == ["pipe"])
  }
}

@Suite("What lies beside weights")
struct CompanionFileTests {
  @Test("a model made of another takes along all but weights, hidden files and folders that hold the model again")
  func copies() throws {
    let folder = try TemporaryDirectory()
    let base = try Checkpoint(directory: fixture("single"))
    let kept = [
      "config.json", "tokenizer.json", "additional_chat_templates/rag.jinja", "preprocessor_config.json", "modules.json", "1_Pooling/config.json",
      "2_Dense/config.json", "2_Dense/model.safetensors", "modeling_own.py", "assets/deep/words.txt", "LICENSE",
    ]
    let left = [
      "pytorch_model.bin", "pytorch_model.bin.index.json", "model.gguf", "onnx/model.onnx", "onnx/config.json", "original/consolidated.00.pth",
      "original/params.json", ".gitattributes", ".cache/x", "adapter_config.json", "adapter_model.safetensors",
    ]
    for name in kept + left { _ = try folder.write(name.utf8, to: "base/\(name)") }
    _ = try folder.write(#"[{"path": ""}, {"path": "1_Pooling"}, {"path": "2_Dense"}]"#.utf8, to: "base/modules.json")
    #expect(mkfifo(folder.file("base/pipe"), 0o600) == 0)
    try ModelDirectoryWriter(directory: folder.file("out")).write(base.descriptions, configuration: ["a": 1], copyingFilesFrom: folder.file("base")) {
      try base.tensor($0.name)
    }
    let files = try #require(FileManager.default.enumerator(atPath: folder.file("out"))).compactMap { $0 as? String }.filter {
      var isDirectory: ObjCBool = false
      return FileManager.default.fileExists(atPath: folder.file("out/\($0)"), isDirectory: &isDirectory) && !isDirectory.boolValue
    }
    #expect(Set(files) == Set(kept + ["model.safetensors"]))
    for name in kept where !["config.json", "modules.json"].contains(name) {
      #expect(try bytes(of: folder.file("out/\(name)")) == Array(name.utf8))
    }
    #expect(try JSON(parsing: bytes(of: folder.file("out/config.json"))) == ["a": 1])
  }
}
