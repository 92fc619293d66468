import Foundation
import GraftCheckpoints
import GraftJSON
import GraftTensors
import Testing

/// Damaged files are refused, or read as what they are: no crash, no endless loop, no memory out of proportion.
///
/// `GRAFT_FUZZ_SECONDS` gives each format another time than three seconds, and other damage than the usual.
@Suite("damaged files", .serialized)
struct FuzzTests {
  /// Opens damaged files until their number or the time is used up.
  ///
  /// - Parameters:
  ///   - open: answers the bytes of what was read; 0 where the file was refused.
  ///   - factor: how many times larger than the file that may be.
  private func fuzz(
    _ seeds: [[UInt8]], as name: String, count: Int = 20_000, factor: Int = 4, _ open: (String, [UInt8]) throws -> Int
  ) throws {
    let folder = try TemporaryDirectory(), given = ProcessInfo.processInfo.environment["GRAFT_FUZZ_SECONDS"].flatMap(Double.init)
    let clock = ContinuousClock(), start = clock.now, memory = Self.residentPeak, seconds = given ?? 3
    let seed = given == nil ? 20_260_821 : UInt64.random(in: 0...UInt64.max)
    var mutator = Mutator(seed: seed, seeds: seeds), refused = 0, done = 0
    while done < count || given != nil, clock.now - start < .seconds(seconds) {
      let bytes = mutator.next(), path = try folder.write(bytes, to: name), began = clock.now
      do {
        let read = try open(path, bytes)
        #expect(read <= factor * bytes.count + 4096, "\(read) bytes were read from \(bytes.count)")
      } catch {
        refused += 1
        #expect(error is CheckpointError || error is JSONError, "\(error)")
      }
      #expect(clock.now - began < .seconds(2), "a file of \(bytes.count) bytes took too long")
      done += 1
    }
    #expect(done > 100 && refused > done / 4, "\(refused) of \(done) were refused (seed \(seed))")
    if given != nil { print("\(name): \(refused) of \(done) were refused (seed \(seed))") }
    let grown = Self.residentPeak - memory
    #expect(grown < 256 << 20, "\(grown) bytes more were resident after \(done) files")
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
      return try file.entries.filter { $0.type.elementType != nil }.reduce(arrays) { try $0 + bits(file.tensor($1.name)).count }
    }
  }

  @Test func pickles() throws {
    let seeds = try fixtures("views.bin", "peft-pickled/adapter_model.bin", "adapterhub/double_seq_bn-bin/pytorch_adapter.bin")
    try fuzz(seeds, as: "a.bin") { path, _ in try TorchArchive.read(path).reduce(0) { $0 + bits($1.tensor).count } }
  }

  /// Checksums would otherwise hide the interpreter from most damage.
  @Test func picklesInSoundArchives() throws {
    let folder = try TemporaryDirectory(), inside = folder.file("inside.bin")
    let pickles = try fixtures("views.bin", "peft-pickled/adapter_model.bin").map { archive in
      let start = try #require(archive.indices.first { archive[$0...].starts(with: [0x80, 2, 0x7D]) || archive[$0...].starts(with: [0x80, 2, 0x63]) })
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
    try fuzz(seeds, as: "a.h5", count: 6000) { path, _ in
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
      let json = try JSON(parsing: bytes), text = json.serializedBytes()
      #expect(try JSON(parsing: text) == json)
      return text.count
    }
  }
}
