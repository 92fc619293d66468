import GraftAdapters
import GraftBatching
import GraftCheckpoints
import GraftJSON
import GraftLayers
import GraftTensors
import GraftTestSupport
import Testing

/// Outputs that follow from a method's formula by hand, and the names and shapes that other programs read.
@Suite struct MethodValueTests {
  /// `W = [[1, 2], [3, 4], [0, 1]]`, with a bias where one is given.
  private func layer(bias: [Float]? = nil) throws -> (Linear, SiteCatalog) {
    let catalog = SiteCatalog()
    let layer = try Linear(Scope(source: nil, catalog: catalog) / "layer", in: 2, out: 3, bias: bias != nil)
    layer.weight.assign(Tensor([1, 2, 3, 4, 0, 1], [3, 2]))
    if let bias { layer.bias?.assign(Tensor(bias)) }
    return (layer, catalog)
  }

  private func output(
    _ configuration: String, _ tensors: [String: Tensor], bias: [Float]? = nil, merged: Bool = false
  ) throws -> [Float] {
    let (layer, catalog) = try layer(bias: bias)
    let method = try MethodCatalog.decode(stored: try JSON(parsing: configuration), from: "test")
    let stored = tensors.map { StoredTensor(name: "base_model.model.layer." + $0.key, tensor: $0.value) }
    let delta = try Delta(method, on: catalog, from: InMemoryWeights(name: "test", stored))
    if merged { try delta.merge() }
    return layer(Tensor([1, 3], [1, 2]), .inference).values
  }

  @Test(arguments: [false, true]) func `LoRA adds a scaled product`(merged: Bool) throws {
    let y = try output(
      #"{"peft_type": "LORA", "r": 1, "lora_alpha": 2, "target_modules": ["layer"]}"#,
      ["lora_A.weight": Tensor([1, -1], [1, 2]), "lora_B.weight": Tensor([0.5, 0, 2], [3, 1])], merged: merged)
    #expect(y == [5, 15, -5])
  }

  @Test(arguments: [false, true]) func `DoRA trains directions and lengths apart`(merged: Bool) throws {
    let y = try output(
      #"{"peft_type": "LORA", "r": 1, "lora_alpha": 2, "target_modules": ["layer"], "use_dora": true}"#,
      [
        "lora_A.weight": Tensor([1, -1], [1, 2]), "lora_B.weight": Tensor([0.5, 0, 2], [3, 1]),
        "lora_magnitude_vector": Tensor([2, 5, 1]),
      ], bias: [0, 10, 0], merged: merged)
    #expect(largestDifference(y, [4.472136, 25, -1]) < 2e-6)
  }

  @Test(arguments: [false, true]) func `IA3 scales outputs with their bias, or inputs`(merged: Bool) throws {
    let outputs = try output(
      #"{"peft_type": "IA3", "target_modules": ["layer"], "feedforward_modules": []}"#, ["ia3_l": Tensor([2, 1, -1], [3, 1])], bias: [1, 0, 5],
      merged: merged)
    #expect(outputs == [16, 15, -8])
    let inputs = try output(
      #"{"peft_type": "IA3", "target_modules": ["layer"], "feedforward_modules": ["layer"]}"#, ["ia3_l": Tensor([2, 0.5], [1, 2])],
      bias: [1, 0, 5], merged: merged)
    #expect(inputs == [6, 12, 6.5])
  }

  @Test func `names and shapes are PEFT's`() throws {
    func names(_ configuration: String) throws -> Set<String> {
      let model = try makeTinyModel()
      let method = try MethodCatalog.decode(stored: try JSON(parsing: configuration), from: "test")
      return Set(try Delta(method, on: model.catalog).stored(taskType: nil).tensors.map { "\($0.name) \($0.tensor.shape)" })
    }
    let q = "base_model.model.model.layers.1.self_attn.q_proj"
    #expect(
      try names(#"{"peft_type": "LORA", "r": 2, "use_dora": true}"#).isSuperset(of: [
        "\(q).lora_A.weight [2, 16]", "\(q).lora_B.weight [16, 2]", "\(q).lora_magnitude_vector [16]",
      ]))
    #expect(
      try names(#"{"peft_type": "LORA", "r": 2, "target_modules": ["embed_tokens"]}"#) == [
        "base_model.model.model.embed_tokens.lora_embedding_A [2, 40]", "base_model.model.model.embed_tokens.lora_embedding_B [16, 2]",
      ])
    #expect(
      try names(#"{"peft_type": "IA3"}"#).isSuperset(of: [
        "base_model.model.model.layers.0.self_attn.k_proj.ia3_l [8, 1]", "base_model.model.model.layers.0.mlp.down_proj.ia3_l [1, 24]",
      ]))
    #expect(
      try names(#"{"peft_type": "VERA", "r": 4}"#).isSuperset(of: [
        "base_model.vera_A [4, 16]", "base_model.vera_B [16, 4]", "\(q).vera_lambda_b [16]", "\(q).vera_lambda_d [4]",
      ]))
    #expect(try names(#"{"peft_type": "PREFIX_TUNING", "num_virtual_tokens": 5}"#) == ["prompt_embeddings [5, 32]"])
    #expect(try names(#"{"peft_type": "P_TUNING", "num_virtual_tokens": 5}"#) == ["prompt_embeddings [5, 16]"])
    #expect(try names(#"{"peft_type": "LN_TUNING"}"#).contains("base_model.model.model.norm.ln_tuning_layers.weight [16]"))
    #expect(try names(#"{"peft_type": "ADAPTER"}"#).contains("model.layers.0.output_adapters.adapter_down.0.weight [1, 16]"))
  }

  @Test func `a prefix of a text is as if the text had been read`() throws {
    let model = try makeTinyModel()
    let text: [Int32] = [9, 14, 33]
    let whole = model.hiddenStates(SequenceInput([text + tinySequences[0]]), .inference)
    var method = PrefixTuning()
    method.numVirtualTokens = text.count
    method.initText = "three tokens"
    let services = AttachmentServices(tokenize: { _ in text }, run: { _ = model.hiddenStates($0, $1) })
    _ = try Delta(method, on: model.catalog, services: services)
    let prefixed = model.hiddenStates(SequenceInput([tinySequences[0]]), .inference)
    #expect(largestDifference(prefixed.values, whole.rows(3..<10).values) < 1e-5)
  }

  @Test func `a prompt of a text is as if the text had been read`() throws {
    let model = try makeTinyModel()
    let text: [Int32] = [9, 14, 33]
    let whole = model.hiddenStates(SequenceInput([text + tinySequences[0]]), .inference)
    var method = PromptTuning()
    method.numVirtualTokens = text.count
    method.initialization = .text
    method.initializationText = "three tokens"
    #expect(throws: TuningError.self) { try Delta(method, on: model.catalog) }
    _ = try Delta(method, on: model.catalog, services: AttachmentServices(tokenize: { _ in text }))
    let prompted = model.hiddenStates(SequenceInput([tinySequences[0]]), .inference)
    #expect(largestDifference(prompted.values, whole.rows(3..<10).values) < 1e-5)
  }

  @Test func `bottlenecks read the sum, the output or the residual`() throws {
    let scope = Scope(source: nil, catalog: SiteCatalog(), isTrainable: true)
    let down = try scope.parameter("down", [1, 2], .ones)
    let up = try scope.parameter("up", [2, 1], .ones)
    let none = try scope.parameter("none", [1], .zeros)
    let nothing = try scope.parameter("nothing", [2], .zeros)
    let network = Bottleneck(
      down: .dense(weight: down, bias: none), up: .dense(weight: up, bias: nothing), activation: .relu, dropout: 0, path: "network")
    let y = Tensor([1, 2], [1, 2])
    let x = Tensor([10, 20], [1, 2])
    func joined(_ input: BottleneckResidual.Input, _ scale: Float) -> [Float] {
      BottleneckResidual(BottleneckPart(network, scale: .constant(scale)), input: input)(y, joining: x, .inference).values
    }
    #expect(joined(.sum(norm: nil), 1) == [11 + 33, 22 + 33])
    #expect(joined(.output, 1) == [11 + 3, 22 + 3])
    #expect(joined(.residual, 4) == [11 + 120, 22 + 120])
  }

  @Test func `a hypercomplex matrix is a sum of Kronecker products`() throws {
    let scope = Scope(source: nil, catalog: SiteCatalog(), isTrainable: true)
    let size = 2
    let inner = 3
    let rank = 2
    let outer = 1
    func drawn(_ name: String, _ shape: Shape) throws -> Parameter { try scope.parameter(name, shape, .normal(standardDeviation: 1)) }
    let rule = try drawn("rule", [size, size, size])
    let left = try drawn("left", [size, inner, rank])
    let right = try drawn("right", [size, rank, outer])
    let matrix = HypercomplexMatrix(rule: rule, left: left, right: right).matrix
    #expect(matrix.shape == [size * inner, size * outer])
    let (a, l, r) = (rule.value.values, left.value.values, right.value.values)
    for row in 0..<size * inner {
      for column in 0..<size * outer {
        var sum: Float = 0
        for index in 0..<size {
          var product: Float = 0
          for middle in 0..<rank { product += l[(index * inner + row % inner) * rank + middle] * r[(index * rank + middle) * outer + column % outer] }
          sum += a[(index * size + row / inner) * size + column / outer] * product
        }
        #expect(abs(matrix.values[row * size * outer + column] - sum) < 1e-5)
      }
    }
  }

  @Test func `trained tokens are the head's too where it shares their table`() throws {
    let model = try makeTinyModel(tiesHead: true)
    let changed = try makeTinyModel(tiesHead: true)
    let rows = RandomStream(seed: 8).normal([2, 16])
    let table = try #require(changed.catalog.parameter("model.embed_tokens.weight"))
    table.assign(concatenateRows([table.value.rows(0..<5), rows, table.value.rows(7..<40)]))
    let expected = changed.loss(tinyBatch(), .inference, scale: 1).scalar

    let method = try MethodCatalog.decode(stored: ["peft_type": "TRAINABLE_TOKENS", "token_indices": [5, 6]], from: "test")
    let stored = ["model.embed_tokens", "lm_head"].map {
      StoredTensor(name: "base_model.model.\($0).trainable_tokens_delta", tensor: rows)
    }
    let delta = try Delta(method, on: model.catalog, from: InMemoryWeights(name: "test", stored))
    #expect(abs(model.loss(tinyBatch(), .inference, scale: 1).scalar - expected) < 1e-4)
    let gradients = model.differentiate().gradients
    #expect(delta.parameters.allSatisfy { gradients[$0.parameter] != nil })
    try delta.merge()
    #expect(abs(model.loss(tinyBatch(), .inference, scale: 1).scalar - expected) < 1e-4)
  }

  @Test(arguments: [false, true]) func `LoRA trains rows of the embedding and of the head`(isTied: Bool) throws {
    let model = try makeTinyModel(tiesHead: isTied)
    let changed = try makeTinyModel(tiesHead: isTied)
    let rows = RandomStream(seed: 8).normal([2, 16])
    let outputs = isTied ? rows : RandomStream(seed: 9).normal([2, 16])
    for (path, rows) in [("model.embed_tokens.weight", rows), ("lm_head.weight", outputs)] {
      guard let table = changed.catalog.parameter(path) else { continue }
      table.assign(concatenateRows([table.value.rows(0..<5), rows, table.value.rows(7..<40)]))
    }
    let expected = changed.loss(tinyBatch(), .inference, scale: 1).scalar

    var method = LoRA()
    (method.r, method.targetModules) = (2, .names(["q_proj"]))
    method.train(tokens: [5, 6], ofTables: ["model.embed_tokens"] + (isTied ? [] : ["lm_head"]))
    let delta = try Delta(method, on: model.catalog)
    let before = model.loss(tinyBatch(), .inference, scale: 1).scalar
    let trained = delta.parameters.filter { $0.key.hasSuffix(".token_adapter.trainable_tokens_delta") }
    #expect(
      trained.map(\.key)
        == ["model.embed_tokens", "lm_head"].prefix(isTied ? 1 : 2).map {
          "base_model.model.\($0).token_adapter.trainable_tokens_delta"
        })
    for ((_, parameter), rows) in zip(trained, [rows, outputs]) { parameter.assign(rows) }
    let adapted = model.loss(tinyBatch(), .inference, scale: 1).scalar
    #expect(abs(adapted - expected) < 1e-4 && abs(before - expected) > 1e-2)
    let gradients = model.differentiate().gradients
    #expect(trained.allSatisfy { gradients[$0.parameter] != nil })
    try delta.merge()
    #expect(abs(model.loss(tinyBatch(), .inference, scale: 1).scalar - expected) < 1e-4)
  }

  @Test func `a head that shares its table is merged apart from it, where the method takes them apart`() throws {
    let model = try makeTinyModel(tiesHead: true)
    let table = try #require(model.catalog.parameter("model.embed_tokens.weight"))
    let values = table.value.values
    var method = LoRA()
    method.targetModules = .names(["lm_head"])
    let delta = try Delta(method, on: model.catalog)
    let factors = try #require(delta.parameters.first { $0.key.hasSuffix("lm_head.lora_B.weight") }).parameter
    factors.assign(RandomStream(seed: 4).normal(factors.shape))
    let plain = model.loss(tinyBatch(), .inference, scale: 1).scalar
    delta.detach()
    #expect(abs(model.loss(tinyBatch(), .inference, scale: 1).scalar - plain) > 1e-2)
    try delta.merge()
    #expect(abs(model.loss(tinyBatch(), .inference, scale: 1).scalar - plain) < 1e-4)
    #expect(table.value.values == values)
    delta.unmerge()

    let scales = try Delta(try MethodCatalog.decode(stored: ["peft_type": "IA3", "target_modules": ["lm_head"]], from: "test"), on: model.catalog)
    let error = try #require(throws: TuningError.self) { try scales.merge() }
    #expect(error.description.contains("lm_head"))
  }
}
