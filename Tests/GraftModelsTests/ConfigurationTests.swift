import GraftBatching
import GraftJSON
import GraftLayers
import GraftTensors
import GraftTestSupport
import Testing

import GraftModels

@Suite("Every key of every configuration is read, refused or known to have no effect")
struct ConfigurationTests {
  private func fixture(_ name: String) throws -> ConfigurationFixture { try ConfigurationFixture(name) }

  /// Synonyms, ties, activations, rotary positions, windows, sizes: the same numbers as Transformers, which reads a
  /// directory of the same files.
  @Test(arguments: ConfigurationFixture.families)
  func valuesUnderChangedKeys(_ name: String) throws {
    let fixture = try fixture(name)
    for entry in fixture.cases() {
      let found = try fixture.scores(try fixture.build(entry.configuration, from: entry.source))
      #expect(largestDifference(found, entry.outputs) < 2e-5, "\(name) \(entry)")
    }
  }

  /// The table is that of the classes: no key is missing, defaults are theirs, and null is a value where it is there.
  @Test(arguments: ConfigurationFixture.families)
  func theTableIsThatOfTheClass(_ name: String) throws {
    let known = try #require(try ConfigurationFixture.read("configuration-keys.json")[name])
    let table = try #require(ModelFamily.registry[name]?.configuration)
    let keys = Dictionary(table.keys.map { ($0.name, $0) }) { first, _ in first }
    #expect(keys.count == table.keys.count, "a key stands twice")
    for (key, field) in known["keys"]?.object ?? [:] {
      guard let entry = keys[key] else {
        Issue.record("\(name): \(key) is not classified")
        continue
      }
      let value = try #require(field["default"])
      let allowsNull = field["null"]?.bool == true
      if case .read = entry.meaning {
        if let fallback = entry.fallback { #expect(fallback == value, "\(name) \(key)") }
        #expect(!entry.allowsNull || allowsNull, "\(name) \(key)")
      }
      if case .only(let values) = entry.meaning { #expect(values.contains(value), "\(name) \(key)") }
    }
    #expect(table.synonyms == Dictionary(uniqueKeysWithValues: (known["synonyms"]?.object ?? [:]).map { ($0.key, $0.value.string ?? "") }))
  }

  /// The effect of each key that is read: on the results above, on training, on initial values, or on other tasks.
  @Test(arguments: ConfigurationFixture.families)
  func everyKeyThatIsReadIsTested(_ name: String) throws {
    let table = try #require(ModelFamily.registry[name]?.configuration)
    var tested = Set(Self.training[name] ?? []).union(Self.initial[name] ?? []).union(Self.elsewhere)
    for entry in try fixture(name).cases() {
      for (key, _) in entry.changes.object ?? [:] { tested.insert(table.synonyms[key] ?? key) }
    }
    for key in table.keys {
      guard case .read = key.meaning else { continue }
      #expect(tested.contains(key.name), "\(name): nothing shows what \(key.name) does")
    }
  }

  private static let training = [
    "gpt2": ["resid_pdrop", "embd_pdrop", "attn_pdrop"], "llama": ["attention_dropout"], "mistral": ["attention_dropout"],
    "qwen2": ["attention_dropout"], "qwen3": ["attention_dropout"], "gemma": ["attention_dropout"], "gemma2": ["attention_dropout"],
    "gemma3_text": ["attention_dropout"],
    "granite": ["attention_dropout"],
    "phi3": ["attention_dropout", "resid_pdrop", "embd_pdrop"], "glm": ["attention_dropout"], "glm4": ["attention_dropout"],
    "olmo2": ["attention_dropout"], "openai-gpt": ["resid_pdrop", "embd_pdrop", "attn_pdrop"],
    "bloom": ["hidden_dropout", "attention_dropout"], "bert": ["hidden_dropout_prob", "attention_probs_dropout_prob"],
    "roberta": ["hidden_dropout_prob", "attention_probs_dropout_prob"], "distilbert": ["dropout", "attention_dropout"], "t5": ["dropout_rate"],
    "mt5": ["dropout_rate"], "bart": ["dropout", "attention_dropout", "activation_dropout", "encoder_layerdrop", "decoder_layerdrop"],
  ]
  private static let initial = [
    "gpt2": ["initializer_range"], "llama": ["initializer_range"], "mistral": ["initializer_range"], "qwen2": ["initializer_range"],
    "qwen3": ["initializer_range"], "gemma": ["initializer_range"], "gemma2": ["initializer_range"],
    "gemma3_text": ["initializer_range"], "granite": ["initializer_range"], "phi3": ["initializer_range"], "glm": ["initializer_range"],
    "glm4": ["initializer_range"], "olmo2": ["initializer_range"], "openai-gpt": ["initializer_range"], "bloom": ["initializer_range"],
    "bert": ["initializer_range"], "roberta": ["initializer_range"],
    "distilbert": ["initializer_range", "sinusoidal_pos_embds"], "t5": ["initializer_factor"], "mt5": ["initializer_factor"], "bart": ["init_std"],
  ]
  /// Heads of classifiers, our own key, and what the rows of padding and positions are for.
  private static let elsewhere = [
    "architectures", "id2label", "num_labels", "problem_type", "attention_style", "classifier_dropout", "hidden_dropout", "seq_classif_dropout",
    "pad_token_id", "max_position_embeddings", "original_max_position_embeddings", "type_vocab_size", "n_positions",
  ]

  @Test(arguments: ConfigurationFixture.families)
  func trainingUnderChangedKeys(_ name: String) throws {
    let fixture = try fixture(name)
    let keys = Self.training[name] ?? []
    let none = keys.reduce(fixture.configuration) { $0.setting($1, 0.0) }
    func loss(_ configuration: JSON) throws -> Float {
      fixture.loss(try fixture.build(configuration, from: fixture.source()), Pass(isTraining: true, random: RandomStream(seed: 3)))
    }
    let plain = try loss(none)
    for key in keys { #expect(try loss(none.setting(key, 0.9)) != plain, "\(name) \(key)") }
  }

  @Test(arguments: ConfigurationFixture.families)
  func initialValuesUnderChangedKeys(_ name: String) throws {
    let fixture = try fixture(name)
    func squares(_ configuration: JSON) throws -> Double {
      try fixture.build(configuration, from: nil).catalog.parameters.reduce(0) { $0 + $1.value.sumOfSquares }
    }
    let plain = try squares(fixture.configuration)
    for key in Self.initial[name] ?? [] {
      let value: JSON = key == "sinusoidal_pos_embds" ? true : 0.7
      #expect(abs(try squares(fixture.configuration.setting(key, value)) / plain - 1) > 0.2, "\(name) \(key)")
    }
  }

  /// Dropout before classifiers, which several keys may set.
  @Test func dropoutOfClassifiers() throws {
    func differs(_ name: String, _ task: LearningTask, _ key: String) throws -> Bool {
      let fixture = try fixture(name)
      let batch = Batch(
        collating: fixture.examples.map { EncodedExample(tokens: $0.tokens, label: .class(1), tokenLabels: $0.tokens.map { $0 % 2 }) },
        objective: task == .sequenceClassification ? .labels : .tokenLabels)
      let none =
        ((Self.training[name] ?? [])
        + ["classifier_dropout", "hidden_dropout", "seq_classif_dropout"].filter {
          ModelFamily.registry[name]?.configuration.keys.map(\.name).contains($0) == true
        })
        .reduce(fixture.configuration) { $0.setting($1, 0.0) }
      func loss(_ configuration: JSON) throws -> Float {
        try fixture.build(configuration, from: fixture.source(), task: task).loss(
          batch, Pass(isTraining: true, random: RandomStream(seed: 3)), scale: 1
        ).scalar
      }
      let changed = key == "hidden_dropout" ? none.setting("classifier_dropout", nil) : none
      return try loss(changed.setting(key, 0.9)) != loss(none)
    }
    for name in ["bert", "roberta"] { #expect(try differs(name, .sequenceClassification, "classifier_dropout")) }
    #expect(try differs("distilbert", .sequenceClassification, "seq_classif_dropout"))
    for key in ["classifier_dropout", "hidden_dropout"] { #expect(try differs("llama", .tokenClassification, key)) }
  }

  /// No gradient reaches the vector of the padding's token, as torch's `padding_idx` has it; its head's row is trained.
  @Test(arguments: ["llama", "bert", "roberta", "distilbert"])
  func paddingIsNotTrained(_ name: String) throws {
    let fixture = try fixture(name)
    func rows(_ padding: JSON) throws -> [Double] {
      let model = try fixture.build(
        fixture.configuration.setting("pad_token_id", padding).setting("tie_word_embeddings", false), from: Self.untied(fixture))
      let table = try #require(model.catalog.sites.first { $0.role == .tokenEmbedding }?.embedding)
      for parameter in model.catalog.parameters { parameter.isTrainable = true }
      let tape = Tape()
      let batch = Batch(collating: fixture.examples, objective: fixture.task.objective(for: model))
      let loss = tape.record { model.loss(batch, Pass(), scale: 1) }
      let gradient = try #require(tape.gradients(of: loss)[table.weight])
      return (0..<19).map { gradient.rows($0..<$0 + 1).sumOfSquares }
    }
    let token = 2
    #expect(try rows(0)[token] > 0)
    let padded = try rows(.integer(token))
    #expect(padded[token] == 0)
    #expect(padded.contains { $0 > 0 })
  }

  private static func untied(_ fixture: ConfigurationFixture) -> SyntheticSource {
    fixture.cases().first { $0.changes == ["tie_word_embeddings": false] }?.source ?? fixture.source()
  }

  /// A synonym wins over the key, and what no class knows is nothing.
  @Test func whatTransformersDoesNotKnowIsIgnored() throws {
    let fixture = try fixture("gpt2")
    let odd = fixture.configuration.setting("n_embd", 99).setting("hidden_size", 8).setting("rope_scaling", "anything").setting("attention_bias", 7)
    #expect(
      try fixture.scores(fixture.build(odd, from: fixture.source())) == fixture.scores(fixture.build(fixture.configuration, from: fixture.source())))
  }

  /// Stretched positions of a prompt and of the tokens that follow one by one: keys in the cache stay as they
  /// were turned when their sequence was shorter.
  @Test func continuationsOfStretchedPositions() throws {
    let fixture = try fixture("llama")
    let cases = fixture.cases().filter { !$0.continued.isEmpty }
    let documents = fixture.examples.map(\.tokens)
    #expect(cases.count == 3)
    for entry in cases {
      let model = try #require(try fixture.build(entry.configuration, from: entry.source) as? any LanguageModel)
      let state = model.makeState(sequences: 2)
      var read = zip(documents, entry.continued).map { $0.count - $1.count }
      var found: [[Float]] = [[], []]
      func pass(_ parts: [[Int32]], of active: [Int], next: [Int]) {
        let input = SequenceInput(parts, startingAt: state.lengths)
        let hidden = model.hiddenStates(input, Pass(state: state))
        state.advance(by: parts.map(\.count))
        let last = gatherRows(hidden, Tensor(input.spans.map { Int32($0.range.upperBound - 1) }))
        let targets = active.map { documents[$0][next[$0]] }
        for (document, prediction) in zip(active, model.head.predictions(last, targets: targets)) {
          found[document].append(prediction.logProbability)
        }
      }
      pass(zip(documents, read).map { Array($0[..<$1]) }, of: [0, 1], next: read)
      var active = [0, 1]
      while true {
        let going = active.indices.filter { read[active[$0]] + 1 < documents[active[$0]].count }
        guard !going.isEmpty else { break }
        if going.count < active.count { state.select(going) }
        active = going.map { active[$0] }
        let parts = active.map { [documents[$0][read[$0]]] }
        for document in active { read[document] += 1 }
        pass(parts, of: active, next: read)
      }
      for (one, expected) in zip(found, entry.continued) { #expect(largestDifference(one, expected) < 2e-5, "\(entry): \(one)") }
    }
  }

  /// A sequence's positions know nothing of the others' lengths, on the way to a score and when it is continued.
  @Test(arguments: [
    #"{"type": "dynamic", "factor": 3}"#,
    #"{"type": "longrope", "short_factor": [1, 2], "long_factor": [3, 5], "original_max_position_embeddings": 5}"#,
  ])
  func lengthsOfOthersDoNotMatter(_ scaling: String) throws {
    let fixture = try fixture("llama")
    let configuration = fixture.configuration.setting("rope_scaling", try JSON(parsing: scaling))
    let model = try fixture.build(configuration, from: fixture.source())
    let short: [Int32] = [3, 7, 1]
    let long: [Int32] = [4, 9, 2, 6, 6, 1, 12, 10, 5, 8, 0]
    let middle: [Int32] = [5, 1, 5, 9, 2, 6, 5]
    let together = model.hiddenStates(SequenceInput([short, long, middle]), .inference)
    for (start, sequence) in [(0, short), (3, long), (14, middle)] {
      let alone = model.hiddenStates(SequenceInput([sequence]), .inference)
      #expect(alone.values == together.rows(start..<start + sequence.count).values)
    }
    #expect(
      model.hiddenStates(SequenceInput([long]), .inference).rows(0..<2).values
        != model.hiddenStates(SequenceInput([Array(long[..<3])]), .inference).rows(0..<2).values)
  }
}
