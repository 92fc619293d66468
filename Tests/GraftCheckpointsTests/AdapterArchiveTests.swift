import Foundation
import GraftCheckpoints
import GraftJSON
import GraftTensors
import GraftTestSupport
import Testing

@Suite("HDF5 adapter files")
struct AdapterArchiveTests {
  /// An adapter with every part and every type.
  static func sample(_ name: String = "default", large: Bool = false) -> StoredAdapter {
    let prefix = "base_model.model.model.layers"
    var tensors = (0..<2).flatMap { layer in
      [
        StoredTensor(
          name: "\(prefix).\(layer).self_attn.q_proj.lora_A.weight", tensor: Tensor([1, -2.5, 3, 4, 5, 6], [2, 3])),
        StoredTensor(
          name: "\(prefix).\(layer).self_attn.q_proj.lora_B.weight",
          tensor: tensor(bytes: [0x80, 0x3F, 0x40, 0xC0], [2, 1], .bfloat16)),
      ]
    }
    tensors += [
      StoredTensor(name: "half", tensor: tensor(bytes: [0, 0x3C, 0, 0xC0], [2], .float16)),
      StoredTensor(name: "mask.weight", tensor: tensor(bytes: [1, 0, 1], [3], .bool)),
      StoredTensor(name: "down.0.bias", role: "adapter_down", tensor: Tensor([0.5], [])),
      StoredTensor(name: "none", tensor: Tensor([], [0, 4])),
      StoredTensor(name: "wide", tensor: tensor(bytes: (0..<16).map { $0 }, [1, 2, 1, 1], .float64)),
      StoredTensor(name: "longs", tensor: tensor(bytes: Array(repeating: 0xFF, count: 8), [1], .int64)),
      StoredTensor(name: "shorts", tensor: tensor(bytes: [1, 2, 3, 4], [2], .int16)),
    ]
    if large {
      let values = (0..<600_000).map { Float($0 % 1000) / 8 }
      tensors.append(StoredTensor(name: "large", tensor: Tensor(values, [1200, 500])))
    }
    var adapter = StoredAdapter(
      name: name, method: "lora", peftType: "LORA", taskType: "CAUSAL_LM",
      configuration: ["peft_type": "LORA", "r": 2, "target_modules": ["q_proj"], "note": "é\n"], tensors: tensors)
    adapter.reparam = [StoredTensor(name: "encoder.0.weight", tensor: Tensor([1, 2], [1, 2]))]
    adapter.head = [StoredTensor(name: "classifier.weight", tensor: Tensor([3, 4], [2]))]
    var training = StoredTraining(step: 12, epoch: 1.5, seed: -3, bestMetric: 0.25)
    training.recipe = "task: causal_lm\n# comment\n"
    training.metrics = "{\"step\":1}\n"
    training.state = ["scale": 1024.0, "cursor": [1, 2]]
    training.tensorGroups = [
      ("first_moment", [StoredTensor(name: "a.b.lora_A.weight", tensor: Tensor([7], [1]))]),
      ("second_moment", [StoredTensor(name: "a.b.lora_A.weight", tensor: Tensor([8], [1]))]),
    ]
    adapter.training = training
    return adapter
  }

  static func base() throws -> BaseFingerprint {
    try BaseFingerprint(of: Checkpoint(directory: fixture("single")), keys: .standard)
  }

  static func areEqual(_ left: [StoredTensor], _ right: [StoredTensor]) -> Bool {
    left.count == right.count
      && zip(left, right).allSatisfy {
        $0.description == $1.description && $0.role == $1.role && bits($0.tensor) == bits($1.tensor)
      }
  }

  static func areEqual(_ left: AdapterFile, _ right: AdapterFile) -> Bool {
    left.base == right.base && left.adapters.count == right.adapters.count
      && zip(left.adapters, right.adapters).allSatisfy { left, right in
        left.name == right.name && left.method == right.method && left.peftType == right.peftType
          && left.taskType == right.taskType && left.configuration.serialized() == right.configuration.serialized()
          && areEqual(left.tensors, right.tensors) && areEqual(left.reparam, right.reparam)
          && areEqual(left.head, right.head) && areEqual(left.training, right.training)
      }
  }

  static func areEqual(_ left: StoredTraining?, _ right: StoredTraining?) -> Bool {
    guard let left, let right else { return left == nil && right == nil }
    return left.step == right.step && left.epoch == right.epoch && left.seed == right.seed
      && left.bestMetric == right.bestMetric && left.recipe == right.recipe && left.metrics == right.metrics
      && left.state == right.state && left.tensorGroups.count == right.tensorGroups.count
      && zip(left.tensorGroups, right.tensorGroups).allSatisfy {
        $0.name == $1.name && areEqual($0.tensors, $1.tensors)
      }
  }

  @Test("what is written is read back, exactly", arguments: [0, 4])
  func roundTrip(deflateLevel: Int) throws {
    let folder = try TemporaryDirectory()
    let path = folder.file("adapter.h5")
    let content = AdapterFile(base: try Self.base(), adapters: [Self.sample(large: true), Self.sample("second")])
    try AdapterArchive.write(content, to: path, deflateLevel: deflateLevel)
    let read = try AdapterArchive.read(path)
    #expect(Self.areEqual(read, content))
    #expect(read.location == path)
    #expect(read.adapters[0].tensors[0].role == "lora_A")
    #expect(try read.adapter(named: "second").name == "second")
    #expect(try read.adapter().name == "default")
    expectError(.missing, "it has 'default', 'second'") { try read.adapter(named: "third") }

    let weights = read.adapters[0].weights(from: path)
    #expect(weights.name == path)
    #expect(weights.contains("classifier.weight"))
    #expect(try weights.tensor("half").dtype == .float16)
    expectError(.malformed, "no tensor 'nothing'") { try weights.tensor("nothing") }

    let again = folder.file("again.h5")
    try AdapterArchive.write(read, to: again, deflateLevel: deflateLevel)
    #expect(try bytes(of: again) == bytes(of: path))
    #expect(folder.entries == ["adapter.h5", "again.h5"])
  }

  @Test("a thousand layers of tensors nest, and are read by name")
  func manyTensors() throws {
    let folder = try TemporaryDirectory()
    let tensors = (0..<1200).map {
      StoredTensor(name: "model.layers.\($0).q_proj.lora_A.weight", tensor: Tensor([Float($0)], [1]))
    }
    let content = AdapterFile(adapters: [
      StoredAdapter(method: "lora", peftType: "LORA", configuration: [:], tensors: tensors)
    ])
    try AdapterArchive.write(content, to: folder.file("a.h5"))
    #expect(Self.areEqual(try AdapterArchive.read(folder.file("a.h5")), content))
  }

  @Test("reads what h5py writes")
  func readsForeignFile() throws {
    let file = try AdapterArchive.read(fixture("h5py.h5"))
    let adapter = try file.adapter()
    #expect(file.base?.modelType == "llama")
    #expect(file.base?.hiddenSize == 8)
    #expect(adapter.taskType == "CAUSAL_LM")
    #expect(adapter.configuration == ["peft_type": "LORA", "r": 2])
    #expect(adapter.tensors.map(\.name.count) == [62, 62, 17])
    #expect(adapter.tensors.map(\.role) == ["lora_A", "lora_B", "prompt_embeddings"])
    #expect(adapter.tensors[0].tensor.values == (0..<16).map { Float($0) / 8 })
    #expect(adapter.tensors[1].tensor.dtype == .float16)
    #expect(bits(adapter.tensors[1].tensor)[2...3] == [0x00, 0x34])
    #expect(adapter.tensors[2].tensor.dtype == .int64)
  }

  static let refused: [(String, CheckpointError.Kind, String)] = [
    ("contiguous", .unsupported, "no checksum"), ("lzf", .unsupported, "filter 32000"),
    ("soft-link", .malformed, "link to elsewhere"),
    ("external-link", .malformed, "link to elsewhere"), ("external-storage", .unsupported, "not stored in chunks"),
    ("virtual", .unsupported, "not stored in chunks"), ("wrong-data", .malformed, "SHA-256"),
    ("wrong-shape", .malformed, "its manifest says"),
    ("big-endian", .unsupported, "little-endian"),
    ("bomb", .malformed, "its manifest says"), ("variable-string", .malformed, "no fixed-length string"),
    ("version-2", .unsupported, "format version 2"), ("other-format", .malformed, "no adapter written by graft"),
    ("wrong-count", .malformed, "counts"),
    ("missing-tensor", .malformed, "'prompt_embeddings', which is not in the file"),
    ("missing-manifest", .malformed, "manifest"), ("missing-config", .malformed, "config"),
    ("config-not-json", .malformed, "config"),
    ("config-not-utf8", .malformed, "UTF-8"), ("dense", .unsupported, "unsafe to list"),
    ("dataset-for-group", .malformed, "is no group"),
    ("old-style", .unsupported, "unsafe to list"),
    ("bomb-in-head", .malformed, "out of proportion"), ("bomb-in-parts", .malformed, "out of proportion"),
    ("bomb-in-config", .malformed, "out of proportion"), ("bomb-of-chunks", .malformed, "1048576 chunks"),
    ("bomb-in-chunk", .malformed, "a chunk expands to more than its 1000 bytes"), ("filter-twice", .malformed, "twice"),
    ("hard-link", .malformed, "the same object as /adapters/default/tensors/prompt_embeddings"),
    ("hard-linked-group", .malformed, "the same object as /adapters/default"),
  ]

  @Test("refuses what is unsafe or wrong", arguments: refused.map(\.0))
  func refuses(name: String) throws {
    let (_, kind, text) = try #require(Self.refused.first { $0.0 == name })
    expectError(kind, text) { try AdapterArchive.read(fixture("refused-\(name).h5")) }
  }

  @Test("refuses what is no HDF5 file, or no file")
  func notHDF5() throws {
    let folder = try TemporaryDirectory()
    expectError(.missing) { try AdapterArchive.read(folder.file("none.h5")) }
    expectError(.missing) { try AdapterArchive.read(folder.path) }
    for content in [[], [1, 2, 3], [UInt8](repeating: 0x89, count: 4096)] as [[UInt8]] {
      let path = try folder.write(content, to: "x.h5")
      expectError(.malformed, "no HDF5 file") { try AdapterArchive.read(path) }
    }
  }

  @Test(
    "refuses to write what it could not read",
    arguments: [
      "", "a/b", "a..b", "a\nb", String(repeating: "a.", count: 24) + "a", String(repeating: "n", count: 1025),
    ])
  func refusesNames(name: String) throws {
    let folder = try TemporaryDirectory()
    let stored = StoredTensor(name: name, tensor: Tensor([1], [1]))
    let adapter = StoredAdapter(method: "lora", peftType: "LORA", configuration: [:], tensors: [stored])
    expectError(.unsupported) { try AdapterArchive.write(AdapterFile(adapters: [adapter]), to: folder.file("x.h5")) }
    let wide = StoredTensor(name: "a", tensor: Tensor([1], [1, 1, 1, 1, 1]))
    let tooWide = StoredAdapter(method: "lora", peftType: "LORA", configuration: [:], tensors: [wide])
    expectError(.unsupported) { try AdapterArchive.write(AdapterFile(adapters: [tooWide]), to: folder.file("x.h5")) }
    #expect(folder.entries.isEmpty)
  }

  @Test("every flipped byte of a file is noticed or harmless, and every cut noticed", arguments: [false, true])
  func damage(whole: Bool) throws {
    let folder = try TemporaryDirectory()
    let path = folder.file("adapter.h5")
    var adapter = Self.sample()
    if whole {
      adapter.tensors = Array(adapter.tensors[..<3])
      (adapter.reparam, adapter.head, adapter.training) = ([], [], nil)
    }
    let content = AdapterFile(base: try Self.base(), adapters: [adapter])
    try AdapterArchive.write(content, to: path)
    let original = try bytes(of: path)
    var noticed = 0
    let descriptor = open(path, O_RDWR)
    defer { close(descriptor) }
    let indices = stride(from: 0, to: original.count, by: whole ? 1 : 9)
    for index in indices {
      var damaged = original[index] ^ (1 << UInt8(index % 8))
      pwrite(descriptor, &damaged, 1, index)
      do {
        let read = try AdapterArchive.read(path)
        #expect(Self.areEqual(read, content), "byte \(index) was read back wrong")
      } catch {
        noticed += 1
      }
      var restored = original[index]
      pwrite(descriptor, &restored, 1, index)
    }
    #expect(noticed > indices.underestimatedCount * 4 / 5, "\(noticed) noticed of \(original.count) bytes")
    #expect(Self.areEqual(try AdapterArchive.read(path), content))
    for count in stride(from: 0, to: original.count, by: 37) {
      let cut = try folder.write(original[..<count], to: "cut.h5")
      expectError(.malformed) { try AdapterArchive.read(cut) }
    }
  }

  @Test("random damage of many bytes is survived")
  func randomDamage() throws {
    let folder = try TemporaryDirectory()
    let path = folder.file("adapter.h5")
    let content = AdapterFile(adapters: [Self.sample()])
    try AdapterArchive.write(content, to: path)
    let original = try bytes(of: path)
    for _ in 0..<500 {
      var damaged = original
      let start = Int.random(in: damaged.indices)
      for index in start..<min(start + Int.random(in: 1...64), damaged.count) { damaged[index] = .random(in: 0...255) }
      let read = try? AdapterArchive.read(folder.write(damaged, to: "damaged.h5"))
      if let read { #expect(Self.areEqual(read, content)) }
    }
  }

  @Test("many threads may read and write at once")
  func threads() throws {
    let folder = try TemporaryDirectory()
    let path = folder.path
    DispatchQueue.concurrentPerform(iterations: 16) { index in
      let file = "\(path)/\(index).h5"
      #expect(throws: Never.self) {
        let content = AdapterFile(adapters: [Self.sample()])
        try AdapterArchive.write(content, to: file)
        #expect(Self.areEqual(try AdapterArchive.read(file), content))
      }
    }
  }
}
