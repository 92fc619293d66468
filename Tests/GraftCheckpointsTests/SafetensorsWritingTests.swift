import Foundation
import GraftCheckpoints
import GraftTensors
import GraftTestSupport
import Testing

@Suite("Safetensors writing", .serialized)
struct SafetensorsWritingTests {
  @Test("the two-tensor vector, byte for byte")
  func vector() throws {
    let folder = try TemporaryDirectory()
    let a = tensor(bytes: [1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0], [1, 2], .int64)
    try SafetensorsWriter.write([("b", Tensor([0, 1, 2], [3])), ("a", a)], to: folder.file("x.safetensors"))
    let written = try bytes(of: folder.file("x.safetensors"))
    let header =
      #"{"__metadata__":{"format":"pt"},"a":{"dtype":"I64","shape":[1,2],"data_offsets":[0,16]},"b":{"dtype":"F32","shape":[3],"data_offsets":[16,28]}} "#
    #expect(written.count == 180)
    #expect(written == [0x90, 0, 0, 0, 0, 0, 0, 0] + Array(header.utf8) + bits(a) + bits(Tensor([0, 1, 2], [3])))
    #expect(try written == bytes(of: fixture("two.safetensors")))
  }

  @Test("the order of the reference implementation for all types, names and shapes")
  func referenceOrder() throws {
    let folder = try TemporaryDirectory()
    let reference = try SafetensorsFile(fixture("types.safetensors"))
    let known = reference.descriptions.filter { $0.elementType.dtype != nil }
    try SafetensorsWriter.write(known.shuffled(), to: folder.file("x.safetensors")) { try reference.tensor($0.name) }
    let written = try SafetensorsFile(folder.file("x.safetensors"))
    #expect(written.descriptions == known)
    for name in written.tensorNames { #expect(try bits(written.tensor(name)) == bits(reference.tensor(name))) }
  }

  @Test("nothing is left of a file whose tensors fail to come")
  func providerFails() throws {
    struct Failure: Error {}
    let folder = try TemporaryDirectory()
    let path = try folder.write([1, 2, 3], to: "x.safetensors")
    #expect(throws: Failure.self) {
      try SafetensorsWriter.write([TensorDescription(name: "a", elementType: .float32, shape: [2])], to: path) { _ in
        throw Failure()
      }
    }
    #expect(folder.entries == ["x.safetensors"])
    #expect(try bytes(of: path) == [1, 2, 3])
  }

  @Test("what cannot be created is told from what cannot be finished")
  func errors() throws {
    let folder = try TemporaryDirectory()
    expectError(.cannotCreate, "nowhere") { try AtomicFile.write([1], to: folder.file("nowhere/x")) }
    _ = try folder.write([1], to: "file")
    expectError(.cannotCreate) { try AtomicFile.write([1], to: folder.file("file/x")) }
    try FileManager.default.createDirectory(atPath: folder.file("directory"), withIntermediateDirectories: false)
    expectError(.cannotCreate) { try AtomicFile.write([1], to: folder.file("directory")) }
    expectError(.cannotCreate, "in the way") { try AtomicDirectory(at: folder.file("file"), replacing: .any) }
    #expect(folder.entries == ["directory", "file"])
  }

  @Test("a file that the disk has no room for leaves the old one")
  func diskFull() throws {
    let folder = try TemporaryDirectory()
    let path = try folder.write([7], to: "x.safetensors")
    // The limit is the process's own: other tests' files stay far below it.
    signal(SIGXFSZ, SIG_IGN)
    var limit = rlimit()
    getrlimit(fileSizeResource, &limit)
    let old = limit
    limit.rlim_cur = 4 << 20
    setrlimit(fileSizeResource, &limit)
    defer {
      var limit = old
      setrlimit(fileSizeResource, &limit)
    }
    let large = Tensor([Float](repeating: 1, count: 2 << 20), [2 << 20])
    expectError(.inputOutput, path) { try SafetensorsWriter.write([("a", large)], to: path) }
    let adapter = StoredAdapter(
      method: "lora", peftType: "LORA", configuration: [:], tensors: [StoredTensor(name: "a", tensor: large)])
    expectError(.inputOutput, path) { try AdapterArchive.write(AdapterFile(adapters: [adapter]), to: path) }
    #expect(try bytes(of: path) == [7])
    #expect(folder.entries == ["x.safetensors"])
  }

  #if canImport(Darwin)
  private let fileSizeResource = RLIMIT_FSIZE
  #else
  private let fileSizeResource = __rlimit_resource_t(RLIMIT_FSIZE.rawValue)
  #endif

  @Test("files have the permissions a plain file would have")
  func permissions() throws {
    let folder = try TemporaryDirectory()
    try AtomicFile.write([1], to: folder.file("ours"))
    var (ours, plain) = (stat(), stat())
    stat(folder.file("ours"), &ours)
    let descriptor = open(folder.file("fresh"), O_CREAT | O_WRONLY, 0o666)
    close(descriptor)
    stat(folder.file("fresh"), &plain)
    #expect(ours.st_mode == plain.st_mode)
  }
}
