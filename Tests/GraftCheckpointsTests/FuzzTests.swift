import Foundation
import FuzzSupport
import GraftCheckpoints
import GraftJSON
import GraftTensors
import GraftTestSupport
import Testing

/// Damaged files are refused, or read as what they are: no crash, no endless loop, no memory out of proportion.
@Suite("damaged files", .serialized)
struct FuzzTests {
  /// Opens damaged files.
  ///
  /// - Parameters:
  ///   - open: answers the bytes of what was read.
  ///   - factor: how many times larger than the file that may be.
  private func fuzz(_ seeds: [[UInt8]], as name: String, factor: Int = 4, _ open: (String, [UInt8]) throws -> Int) throws {
    let folder = try TemporaryDirectory()
    let memory = Self.residentPeak
    let report = Fuzzing.bytes(like: seeds, factor: factor, isRefusal: { $0 is CheckpointError || $0 is JSONError }) { bytes in
      try open(try folder.write(bytes, to: name), bytes)
    }
    #expect(report.problems.isEmpty, "\(report.problems.prefix(5)) (seed \(Fuzzing.seed))")
    #expect(report.refused > report.count / 4, "\(report.refused) of \(report.count) were refused")
    let grown = Self.residentPeak - memory
    #expect(grown < 256 << 20, "\(grown) bytes more were resident after \(report.count) files")
    #expect(folder.entries == [name])
  }

  /// The most memory that the process has had, in bytes.
  private static var residentPeak: Int {
    var usage = rusage()
    #if os(Linux)
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return usage.ru_maxrss << 10
    #else
    getrusage(RUSAGE_SELF, &usage)
    return usage.ru_maxrss
    #endif
  }

  private func fixtures(_ names: String...) throws -> [[UInt8]] { try names.map { try bytes(of: fixture($0)) } }

  @Test func safetensors() throws {
    try fuzz(fixtures("two.safetensors", "types.safetensors", "peft/adapter_model.safetensors"), as: "a.safetensors") { path, _ in
      let file = try SafetensorsFile(path)
      return try file.descriptions.filter { $0.elementType.dtype != nil }.reduce(0) { try $0 + bits(file.tensor($1.name)).count }
    }
  }

  @Test func gguf() throws {
    try fuzz(fixtures("lora.gguf", "values.gguf"), as: "a.gguf") { path, _ in
      let file = try GGUFFile(path)
      let arrays = file.metadata.reduce(0) { $0 + ($1.value.array?.strings ?? []).reduce(0) { $0 + $1.utf8.count } }
      return try file.entries.filter { $0.format.blockLength == 1 }.reduce(arrays) { try $0 + bits(file.tensor($1.name)).count }
    }
  }

  @Test func pickles() throws {
    let seeds = try fixtures("views.bin", "peft-pickled/adapter_model.bin", "adapterhub/double_seq_bn-bin/pytorch_adapter.bin")
    try fuzz(seeds, as: "a.bin") { path, _ in try TorchArchive.read(path).reduce(0) { $0 + bits($1.tensor).count } }
  }

  /// Checksums would otherwise hide the interpreter from most damage.
  @Test func picklesInSoundArchives() throws {
    let folder = try TemporaryDirectory()
    let inside = folder.file("inside.bin")
    let pickles = try fixtures("views.bin", "peft-pickled/adapter_model.bin").map { archive in
      let start = try #require(
        archive.indices.first { archive[$0...].starts(with: [0x80, 2, 0x7D]) || archive[$0...].starts(with: [0x80, 2, 0x63]) })
      let end = try #require(archive[start...].indices.first { archive[$0...].starts(with: Array("PK".utf8)) })
      return Array(archive[start..<end])
    }
    try fuzz(pickles, as: "a.pkl") { _, pickle in
      var zip = try ZipWriter(at: inside)
      try zip.add("a/data.pkl", pickle)
      for (index, count) in [96, 4, 0, 4, 4, 16, 2].enumerated() { try zip.add("a/data/\(index)", [UInt8](repeating: 1, count: count)) }
      try zip.finish()
      return try TorchArchive.read(inside).reduce(0) { $0 + bits($1.tensor).count }
    }
  }

  @Test func archives() throws {
    let folder = try TemporaryDirectory()
    var adapter = AdapterArchiveTests.sample()
    (adapter.reparam, adapter.head, adapter.training) = ([], [], nil)
    try AdapterArchive.write(AdapterFile(adapters: [adapter]), to: folder.file("own.h5"))
    let seeds = try [bytes(of: folder.file("own.h5"))] + fixtures("h5py.h5", "refused-bomb.h5", "refused-soft-link.h5")
    try fuzz(seeds, as: "a.h5") { path, _ in
      try AdapterArchive.read(path).adapters.reduce(0) { $0 + $1.tensors.reduce(0) { $0 + bits($1.tensor).count } }
    }
  }

  @Test func json() throws {
    let texts = [
      #"{"a": [1, -2.5e3, true, null, "é\u00e9\ud83d\ude00"], "b": {"c": {}, "d": [[[[]]]]}, "e": 1e308, "f": 18446744073709551615}"#,
      String(repeating: "[", count: 100) + String(repeating: "]", count: 100), #"[0.1, 1E-7, -0, "\\\"\/\b\f\n\r\t"]"#,
    ]
    let seeds = try texts.map { Array($0.utf8) } + fixtures("peft/adapter_config.json", "model.json")
    try fuzz(seeds, as: "a.json", factor: 8) { _, bytes in
      let json = try JSON(parsing: bytes)
      let text = json.serializedBytes()
      #expect(try JSON(parsing: text) == json)
      return text.count
    }
  }

  /// Inputs that reach every part of the readers, as libFuzzer has found them.
  @Test(arguments: ["safetensors", "gguf", "torch", "hdf5"])
  func corpus(reader: String) throws {
    let folder = Repository.file("Scripts/fuzz/corpus/\(reader)").path
    let names = try FileManager.default.contentsOfDirectory(atPath: folder)
    #expect(names.count > 3)
    for name in names {
      let path = "\(folder)/\(name)"
      switch reader {
      case "safetensors": _ = try? SafetensorsFile(path)
      case "gguf": _ = try? GGUFFile(path)
      case "torch": _ = try? TorchArchive.read(path)
      default: _ = try? AdapterArchive.read(path)
      }
    }
  }

  /// A checksum or a hash protects every bit but those that nobody reads.
  @Test("every bit of a small adapter file flipped is an error, or harmless")
  func everyBit() throws {
    let folder = try TemporaryDirectory()
    let path = folder.file("adapter.h5")
    let tensors = [
      StoredTensor(name: "q_proj.lora_A.weight", tensor: Tensor([1, 2, 3], [1, 3])), StoredTensor(name: "b", tensor: Tensor([4], [1])),
    ]
    let adapter = StoredAdapter(method: "lora", peftType: "LORA", configuration: ["peft_type": "LORA", "r": 1], tensors: tensors)
    try AdapterArchive.write(AdapterFile(adapters: [adapter]), to: path)
    let whole = try bytes(of: path)
    let original = try AdapterArchive.read(path)
    let file = try #require(fopen(path, "r+"))
    setvbuf(file, nil, _IONBF, 0)
    defer { fclose(file) }
    var accepted = 0
    for bit in 0..<8 * whole.count {
      func put(_ byte: UInt8) {
        fseek(file, bit / 8, SEEK_SET)
        fputc(Int32(byte), file)
      }
      put(whole[bit / 8] ^ 1 << UInt8(bit % 8))
      defer { put(whole[bit / 8]) }
      guard let read = try? AdapterArchive.read(path) else { continue }
      accepted += 1
      if !AdapterArchiveTests.areEqual(read, original) { Issue.record("bit \(bit) of \(8 * whole.count) changes the adapter in silence") }
    }
    #expect(try bytes(of: path) == whole && accepted < 4 * whole.count, "\(accepted) of \(8 * whole.count) were harmless")
  }
}
