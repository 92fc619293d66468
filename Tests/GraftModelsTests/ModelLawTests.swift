import GraftBatching
import GraftLayers
import GraftModels
import GraftTensors
import GraftTestSupport
import Testing

@Suite("Laws of every family")
struct ModelLawTests {
  /// A document's loss does not know what else is in its batch.
  @Test(arguments: TinyModel.all)
  func aBatchIsTheSumOfItsDocuments(_ tiny: TinyModel) throws {
    let model = try tiny.build()
    let objective = tiny.task.objective(for: model)
    func loss(_ examples: [EncodedExample]) -> Float {
      model.loss(Batch(collating: examples, objective: objective), .inference, scale: 1).scalar
    }
    let together = loss(tiny.examples)
    let apart = tiny.examples.map { loss([$0]) }
    #expect(together > 0)
    #expect(abs(together - apart.reduce(0, +)) < 1e-4 * together)
  }

  @Test(arguments: TinyModel.all)
  func lossFalls(_ tiny: TinyModel) throws {
    let model = try tiny.build(isTrainable: true)
    let batch = Batch(collating: tiny.examples, objective: tiny.task.objective(for: model))
    var losses: [Float] = []
    for _ in 0..<12 {
      let tape = Tape()
      let loss = tape.record { model.loss(batch, Pass(), scale: 1 / Float(batch.lossTermCount)) }
      let gradients = tape.gradients(of: loss)
      losses.append(loss.scalar)
      let norm = gradients.norm(over: model.catalog.parameters)
      for parameter in model.catalog.parameters {
        guard let gradient = gradients[parameter]?.values else { continue }
        parameter.update { values in for index in values.indices { values[index] -= 0.1 * gradient[index] / Float(max(1, norm)) } }
      }
    }
    #expect(losses[11] < losses[0] - 0.01, "\(losses)")
  }

  /// Dropout is drawn in training, and only there.
  @Test(arguments: TinyModel.all)
  func dropoutIsForTraining(_ tiny: TinyModel) throws {
    // The families whose configurations leave dropout on unless they say otherwise.
    guard ["gpt2", "openai-gpt", "bert", "roberta", "distilbert", "t5", "bart", "transformer"].contains(tiny.configuration["model_type"]?.string)
    else { return }
    let model = try tiny.build()
    let batch = Batch(collating: tiny.examples, objective: tiny.task.objective(for: model))
    func loss(_ pass: Pass) -> Float { model.loss(batch, pass, scale: 1).scalar }
    #expect(loss(Pass()) == loss(Pass(random: RandomStream(seed: 5))))
    #expect(loss(Pass(isTraining: true)) == loss(Pass(isTraining: true)))
    #expect(loss(Pass(isTraining: true)) != loss(Pass(isTraining: true, random: RandomStream(seed: 5))))
  }

  @Test(arguments: TinyModel.causal)
  func aCachedPassIsAFullOne(_ tiny: TinyModel) throws {
    let model = try tiny.build()
    let documents = tiny.examples.map(\.tokens) + [[4, 4, 8, 15, 16, 22, 1]]
    let full = model.hiddenStates(SequenceInput(documents), .inference)
    let spans = SequenceInput(documents).spans
    // The first two tokens at once, where there are as many, then one at a time while all have some left.
    let state = model.makeState(sequences: 3)
    let kept = [0, 2, 3]
    var taken = 0
    for count in [2, 1, 1, 1] {
      let parts = kept.map { Array(documents[$0][taken..<taken + count]) }
      let step = model.hiddenStates(SequenceInput(parts, startingAt: state.lengths), Pass(state: state))
      state.advance(by: parts.map(\.count))
      let rows = kept.flatMap { document in (taken..<taken + count).map { Int32(spans[document].start + $0) } }
      #expect(largestDifference(step.values, gatherRows(full, Tensor(rows)).values) < 1e-5)
      taken += count
    }
  }

  @Test(arguments: TinyModel.sequenceToSequence)
  func aCachedDecoderIsAFullOne(_ tiny: TinyModel) throws {
    let model = try #require(try tiny.build() as? any SequenceToSequenceModel)
    let sources: [[Int32]] = [[3, 9, 1, 20], [7], [5, 5, 2, 0, 11, 8]]
    let targets: [[Int32]] = [[1, 2, 3, 4], [9, 9, 8, 7], [0, 6, 12, 18]]
    let full = model.decode(SequenceInput(targets), over: model.encode(SequenceInput(sources), .inference), .inference)
    let state = model.makeState(sequences: 3)
    let pass = Pass(state: state)
    let source = model.encode(SequenceInput(sources), pass)
    var active = [0, 1, 2]
    for place in 0..<4 {
      let step = model.decode(SequenceInput(active.map { [targets[$0][place]] }, startingAt: state.lengths), over: source, pass)
      state.advance(by: active.map { _ in 1 })
      #expect(largestDifference(step.values, gatherRows(full, Tensor(active.map { Int32($0 * 4 + place) })).values) < 1e-5)
      // The sequences change places and one is finished, as beam search has it.
      if place == 1 {
        state.select([2, 0])
        active = [2, 0]
      }
    }
  }

  @Test(arguments: TinyModel.causal)
  func theFutureIsNotSeen(_ tiny: TinyModel) throws {
    let model = try tiny.build()
    func states(_ tokens: [Int32]) -> Tensor { model.hiddenStates(SequenceInput([tokens]), .inference) }
    let one = states([3, 1, 4, 1, 5, 9])
    let other = states([3, 1, 4, 2, 6, 5])
    #expect(one.rows(0..<3).values == other.rows(0..<3).values)
    #expect(one.rows(3..<4).values != other.rows(3..<4).values)
  }

  /// A decoder over a source sees all of the source and nothing of what is to come.
  @Test(arguments: TinyModel.sequenceToSequence)
  func aDecoderSeesItsSourceAndNotTheFuture(_ tiny: TinyModel) throws {
    let model = try #require(try tiny.build() as? any SequenceToSequenceModel)
    func states(_ source: [Int32], _ target: [Int32]) -> Tensor {
      model.decode(SequenceInput([target]), over: model.encode(SequenceInput([source]), .inference), .inference)
    }
    let one = states([7, 8, 9, 2], [3, 1, 4, 1, 5])
    let other = states([7, 8, 9, 2], [3, 1, 4, 2, 6])
    let third = states([7, 8, 9, 5], [3, 1, 4, 1, 5])
    #expect(one.rows(0..<3).values == other.rows(0..<3).values)
    #expect(one.rows(3..<4).values != other.rows(3..<4).values)
    #expect(one.rows(0..<1).values != third.rows(0..<1).values)
    // An encoder sees both ways.
    let short = model.hiddenStates(SequenceInput([[7, 8, 9]]), .inference)
    let changed = model.hiddenStates(SequenceInput([[7, 8, 2]]), .inference)
    #expect(short.rows(0..<1).values != changed.rows(0..<1).values)
  }

  /// Rows outside every document, as padding is, change nothing in the documents, on either side of an encoder-decoder.
  @Test(arguments: TinyModel.all)
  func paddingChangesNothing(_ tiny: TinyModel) throws {
    let model = try tiny.build()
    let documents = tiny.examples.map(\.tokens)
    let sources = tiny.examples.map { $0.source ?? [1] }
    func states(_ input: SequenceInput, over source: SequenceInput) -> [Tensor] {
      let hidden = model.hiddenStates(input, .inference)
      guard let model = model as? any SequenceToSequenceModel else { return [hidden] }
      return [hidden, model.decode(input, over: model.encode(source, .inference), .inference)]
    }
    let plain = SequenceInput(documents)
    let padded = plain.padded(with: 2)
    let paddedSource = SequenceInput(sources).padded(with: 3)
    let rows = padded.spans.flatMap { $0.range.map { Int32($0) } }
    for (expected, found) in zip(states(plain, over: SequenceInput(sources)), states(padded, over: paddedSource)) {
      #expect(largestDifference(gatherRows(found, Tensor(rows)).values, expected.values) < 1e-5)
    }
  }

  /// The other documents of a batch do not change a document's states.
  @Test(arguments: TinyModel.all)
  func aBatchIsItsDocuments(_ tiny: TinyModel) throws {
    let model = try tiny.build()
    let documents = tiny.examples.map(\.tokens)
    let sources = tiny.examples.map { $0.source ?? [1] }
    func states(_ places: [Int]) -> [Float] {
      let input = SequenceInput(places.map { documents[$0] })
      let hidden = model.hiddenStates(input, .inference).values
      guard let model = model as? any SequenceToSequenceModel else { return hidden }
      let source = model.encode(SequenceInput(places.map { sources[$0] }), .inference)
      return hidden + model.decode(input, over: source, .inference).values
    }
    let width = model.hiddenSize
    let halves = tiny.task == .seq2seqLM ? 2 : 1
    let together = states([0, 1, 2])
    let rowCount = documents.reduce(0) { $0 + $1.count }
    for (place, span) in SequenceInput(documents).spans.enumerated() {
      let own = (0..<halves).flatMap { half in
        let start = (half * rowCount + span.start) * width
        return Array(together[start..<start + span.count * width])
      }
      #expect(largestDifference(own, states([place])) < 1e-5)
    }
  }

  @Test(arguments: TinyModel.masked)
  func encodersSeeBothWays(_ tiny: TinyModel) throws {
    let model = try tiny.build()
    func states(_ tokens: [Int32]) -> Tensor { model.hiddenStates(SequenceInput([tokens]), .inference) }
    let one = states([3, 1, 4])
    let other = states([3, 1, 2])
    #expect(one.rows(0..<1).values != other.rows(0..<1).values)
  }

  /// A prefix model's prompt sees itself in both directions, and what follows is causal.
  @Test(arguments: TinyModel.attending)
  func prefixesSeeThemselves(_ tiny: TinyModel) throws {
    let model = try tiny.build(style: .prefix)
    func states(_ tokens: [Int32]) -> Tensor {
      var input = SequenceInput([tokens])
      input.promptLengths = [3]
      return model.hiddenStates(input, .inference)
    }
    let one = states([3, 1, 4, 1, 5])
    let prompt = states([3, 1, 2, 1, 5])
    let rest = states([3, 1, 4, 1, 6])
    #expect(one.rows(0..<1).values != prompt.rows(0..<1).values)
    #expect(one.rows(0..<4).values == rest.rows(0..<4).values)
  }

  /// A prompt in one pass and what follows it token by token, as generation goes, is the whole sequence.
  @Test(arguments: TinyModel.attending)
  func aCachedPrefixPassIsAFullOne(_ tiny: TinyModel) throws {
    let model = try tiny.build(style: .prefix)
    let documents: [[Int32]] = [[3, 1, 4, 1, 5], [2, 7, 1, 8, 2, 8]]
    let prompts = [2, 3]
    var whole = SequenceInput(documents)
    whole.promptLengths = prompts
    let full = model.hiddenStates(whole, .inference)
    let state = model.makeState(sequences: 2)
    var taken = [0, 0]
    for counts in [prompts, [1, 1], [1, 1]] {
      let parts = documents.indices.map { Array(documents[$0][taken[$0]..<taken[$0] + counts[$0]]) }
      var input = SequenceInput(parts, startingAt: state.lengths)
      input.promptLengths = taken == [0, 0] ? prompts : nil
      let step = model.hiddenStates(input, Pass(state: state))
      state.advance(by: counts)
      let rows = documents.indices.flatMap { document in
        (taken[document]..<taken[document] + counts[document]).map { Int32(whole.spans[document].start + $0) }
      }
      #expect(largestDifference(step.values, gatherRows(full, Tensor(rows)).values) < 1e-5)
      taken = zip(taken, counts).map { $0 + $1 }
    }
  }

  /// A recurrence keeps as much of a sequence after many tokens as after few, and goes on where a longer pass ended.
  @Test(arguments: TinyModel.recurrent)
  func aRecurrenceKeepsOneSize(_ tiny: TinyModel) throws {
    let model = try tiny.build()
    let tokens = (0..<90).map { Int32($0 * 7 % 23) }
    let full = model.hiddenStates(SequenceInput([tokens]), .inference)
    let state = model.makeState(sequences: 1)
    var sizes: Set<Int> = []
    for part in [0..<40, 40..<41, 41..<77, 77..<90] {
      let step = model.hiddenStates(SequenceInput([Array(tokens[part])], startingAt: state.lengths), Pass(state: state))
      state.advance(by: [part.count])
      #expect(largestDifference(step.values, full.rows(part).values) < 1e-5)
      sizes.insert(state.byteCount)
    }
    #expect(sizes.count == 1)
    // It cannot be taken back, but it can begin anew.
    #expect(!state.truncate(to: 50))
    #expect(model.hiddenStates(SequenceInput([tokens], startingAt: state.lengths), Pass(state: state)).values == full.values)
  }

  @Test(arguments: TinyModel.recurrent)
  func aRecurrenceIsCausal(_ tiny: TinyModel) {
    #expect(throws: ArchitectureError.self) { try tiny.build(style: .prefix) }
    #expect(throws: ArchitectureError.self) { try tiny.build(style: .bidirectional) }
  }

  /// Every token of a bidirectional decoder sees all others.
  @Test(arguments: TinyModel.textClassifiers)
  func decodersCanSeeBothWays(_ tiny: TinyModel) throws {
    let model = try tiny.build(style: .bidirectional)
    func states(_ tokens: [Int32]) -> Tensor { model.hiddenStates(SequenceInput([tokens]), .inference) }
    #expect(states([3, 1, 4]).rows(0..<1).values != states([3, 1, 2]).rows(0..<1).values)
  }

  /// Matrices kept in 16 bits change what a model computes by their rounding only.
  @Test(arguments: TinyModel.all)
  func sixteenBitMatrices(_ tiny: TinyModel) throws {
    let exact = try tiny.build()
    let rounded = try tiny.build(frozenType: .bfloat16)
    let batch = Batch(collating: tiny.examples, objective: tiny.task.objective(for: exact))
    let loss = exact.loss(batch, .inference, scale: 1).scalar
    let other = rounded.loss(batch, .inference, scale: 1).scalar
    #expect(abs(loss - other) < 0.02 * loss)
    let input = batch.input
    #expect(exact.hiddenStates(input, .inference).values != rounded.hiddenStates(input, .inference).values)
  }

  /// Rows are looked up exactly, and products read the 16-bit form of a table that a head shares.
  @Test(arguments: TinyModel.all)
  func sixteenBitMatricesLeaveRowsExact(_ tiny: TinyModel) throws {
    let (exact, rounded) = (try tiny.build(), try tiny.build(frozenType: .bfloat16))
    for (table, other) in zip(exact.catalog.sites.compactMap(\.embedding), rounded.catalog.sites.compactMap(\.embedding)) {
      let last = Int32(table.weight.shape[0] - 1)
      let rows = Tensor([last, 0, last / 2])
      #expect(table.plain(rows).values == other.plain(rows).values, "\(table.path)")
      #expect(other.weight.matrix.format == .bfloat16 && table.weight.matrix.format == .float32)
      #expect(other.weight.matrix.dense().values == table.weight.value.converted(to: .bfloat16).values)
    }
  }

  @Test(arguments: TinyModel.causal + TinyModel.masked + TinyModel.sequenceToSequence + TinyModel.tokenClassifiers)
  func nothingScoredIsNoLoss(_ tiny: TinyModel) throws {
    let model = try tiny.build(isTrainable: true)
    var batch = Batch(collating: tiny.examples, objective: tiny.task.objective(for: model))
    batch.targets = batch.targets.map { _ in Batch.ignoredTarget }
    let tape = Tape()
    let loss = tape.record { model.loss(batch, Pass(), scale: 1) }
    let gradients = tape.gradients(of: loss)
    #expect(loss.scalar == 0)
    #expect(model.catalog.parameters.allSatisfy { (gradients[$0]?.sumOfSquares ?? 0) == 0 })
  }

  /// A tied head is the embedding's own matrix: one tensor, counted and trained once.
  @Test(arguments: TinyModel.causal + TinyModel.masked + TinyModel.sequenceToSequence)
  func tiedIsOneTensor(_ tiny: TinyModel) throws {
    let model = try #require(try tiny.build() as? any LanguageModel)
    let embedding = try #require(model.catalog.sites.first { $0.role == .tokenEmbedding }?.embedding)
    let key = try #require(tiny.family).configuration.keys.first { $0.name == "tie_word_embeddings" }
    let isTied = model.modelType == "mt5" || tiny.configuration["tie_word_embeddings"]?.bool ?? key?.fallback?.bool ?? true
    #expect((model.head.linear.weight === embedding.weight) == isTied)
    #expect(Set(model.catalog.parameters.map(\.path)).count == model.catalog.parameters.count)
    #expect(model.catalog.parameters.contains { $0 === model.head.linear.weight })
  }
}

extension SequenceInput {
  /// The same with `count` rows of token 0 behind every document that belong to none.
  fileprivate func padded(with count: Int) -> SequenceInput {
    var padded = SequenceInput(tokens: [], positions: [], spans: [])
    for span in spans {
      padded.spans.append(SequenceSpan(start: padded.tokens.count, count: span.count))
      padded.tokens += tokens[span.range] + Array(repeating: 0, count: count)
      padded.positions += (0..<span.count + count).map { Int32($0) }
    }
    return padded
  }
}
