import Foundation
import GraftCheckpoints
import GraftDatasets
import GraftJSON
import GraftTemplates
import GraftTokenizers

/// Gives libFuzzer's inputs to one of the readers, which `GRAFT_FUZZ_READER` names. `Scripts/fuzz/all` builds and runs it.
@main
enum FuzzReaders {
  static func main() {
    guard let name = ProcessInfo.processInfo.environment["GRAFT_FUZZ_READER"], let reader = readers[name] else {
      FileHandle.standardError.write(Data("GRAFT_FUZZ_READER: name one of \(readers.keys.sorted().joined(separator: ", "))\n".utf8))
      exit(64)
    }
    chosen = reader
    var count = CommandLine.argc
    var arguments = CommandLine.unsafeArgv
    exit(runDriver(&count, &arguments, read))
  }

  fileprivate typealias Reader = @Sendable (Data) throws -> Void

  fileprivate static let readers: [String: Reader] = [
    "json": { _ = try JSON(parsing: JSON(parsing: $0).serializedBytes()) },
    "safetensors": file("safetensors") { path in
      let file = try SafetensorsFile(path)
      for name in file.tensorNames { _ = try? file.tensor(name).withUnsafeBytes { $0.reduce(0, ^) } }
    },
    "gguf": file("gguf") { path in
      let file = try GGUFFile(path)
      for entry in file.metadata { _ = entry.value.array?.strings }
      for entry in file.entries { _ = try? file.tensor(entry.name).withUnsafeBytes { $0.reduce(0, ^) } }
    },
    "torch": file("bin") { path in for (_, tensor) in try TorchArchive.read(path) { _ = tensor.withUnsafeBytes { $0.reduce(0, ^) } } },
    "pickle": { try pickle($0) },
    "hdf5": file("h5") { _ = try AdapterArchive.read($0) },
    "data": { try data($0) },
    "parquet": file("parquet") { _ = try DataFile.records(of: $0) },
    "gzip": file("jsonl.gz") { _ = try DataFile.records(of: $0) },
    "zstd": file("jsonl.zst") { _ = try DataFile.records(of: $0) },
    "tokenizer": { bytes in
      let json = try JSON(parsing: bytes)
      let tokenizer = try Tokenizer(json: json, configuration: TokenizerConfiguration(configuration: json), source: "tokenizer.json")
      _ = tokenizer.decode(tokenizer.encode("The quick brown fox's 12,345 naïve — 東京\n\n<s> [INST] aaaaaaaaaaaa </s>"))
    },
    "template": { bytes in
      let template = try ChatTemplate(String(decoding: bytes, as: UTF8.self))
      let messages: [JSON] = [["role": "system", "content": "Be brief."], ["role": "user", "content": "Hi {{"]]
      _ = try template.render(messages: messages, addGenerationPrompt: true, specialTokens: ["bos_token": "<s>"])
    },
  ]

  private static func file(_ suffix: String, _ read: @escaping @Sendable (String) throws -> Void) -> Reader {
    let path = place(suffix)
    return { bytes in
      try bytes.write(to: URL(filePath: path))
      try read(path)
    }
  }

  /// Checksums would hide the interpreter of pickles from most of the inputs.
  private static func pickle(_ bytes: Data) throws {
    let path = place("bin")
    var zip = try ZipWriter(at: path)
    try zip.add("a/data.pkl", Array(bytes))
    for (index, count) in [96, 4, 0, 4, 4, 16, 2].enumerated() { try zip.add("a/data/\(index)", [UInt8](repeating: 1, count: count)) }
    try zip.finish()
    _ = try TorchArchive.read(path)
  }

  /// The first byte chooses the kind of file.
  private static func data(_ bytes: Data) throws {
    guard let first = bytes.first else { return }
    let path = place(["jsonl", "json", "csv", "tsv"][Int(first % 4)])
    try bytes.dropFirst().write(to: URL(filePath: path))
    _ = try DataFile.records(of: path)
  }

  private static func place(_ suffix: String) -> String { "/dev/shm/graft-fuzz-\(ProcessInfo.processInfo.processIdentifier).\(suffix)" }
}

nonisolated(unsafe) private var chosen: FuzzReaders.Reader = { _ in }

/// Whatever is thrown is a refusal; libFuzzer finds crashes, sanitizers' findings, and what takes too long or too much.
private func read(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Int32 {
  try? chosen(Data(bytes: bytes, count: count))
  return 0
}

@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
  _ count: UnsafeMutablePointer<Int32>, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
  _ callback: @convention(c) (UnsafePointer<UInt8>, Int) -> Int32
) -> Int32
