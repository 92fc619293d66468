import Foundation
import GraftBatching
import GraftLayers
import GraftTensors
import GraftTraining
import GraftTrainingTestSupport
import Testing

/// The common part of the models here: no parameters but a table of logits, one row a token.
private class TableModel {
  let modelType = "table", catalog = SiteCatalog()
  let table: [[Float]]
  private(set) var trainingPasses = 0
  var vocabularySize: Int { table.count }
  var hiddenSize: Int { table.count }
  var maximumLength: Int? { nil }

  init(_ table: [[Float]]) { self.table = table }

  /// The token of every row as a unit vector.
  func hiddenStates(_ input: SequenceInput, _ pass: Pass) -> Tensor {
    trainingPasses += pass.isTraining ? 1 : 0
    return Tensor(input.tokens.flatMap { token in (0..<table.count).map { $0 == Int(token) ? 1 as Float : 0 } }, [input.tokens.count, table.count])
  }

  /// `log softmax` of a token's logits.
  func logProbabilities(_ token: Int32) -> [Double] {
    let logits = table[Int(token)].map(Double.init)
    let sum = logits.reduce(0) { $0 + exp($1) }
    return logits.map { $0 - log(sum) }
  }

  /// The mean negative log-likelihood of classes, each given a token.
  func meanLoss(_ scored: [(token: Int32, target: Int)]) -> Double {
    -scored.map { logProbabilities($0.token)[$0.target] }.reduce(0, +) / Double(scored.count)
  }
}

/// A language model whose next token depends on the token alone.
private final class BigramModel: TableModel, CausalLanguageModel {
  let head: LanguageModelHead

  override init(_ table: [[Float]]) {
    let transposed = table[0].indices.flatMap { column in table.map { $0[column] } }
    let weight = Parameter(path: "head.weight", value: Tensor(transposed, [table[0].count, table.count]))
    head = LanguageModelHead(Linear(Scope(source: nil, catalog: SiteCatalog()) / "head", sharing: weight, role: .languageModelHead))
    super.init(table)
  }
}

/// A masked language model that also judges pairs, by their first token.
private final class PairModel: TableModel, SentencePairModel {
  let head: LanguageModelHead
  let pairs: [[Float]]

  init(_ table: [[Float]], pairs: [[Float]]) {
    head = BigramModel(table).head
    self.pairs = pairs
    super.init(table)
  }

  func transformed(_ hidden: Tensor, _ pass: Pass) -> Tensor { hidden }

  func nextSentenceLogits(_ hidden: Tensor, _ input: SequenceInput, _ pass: Pass) -> Tensor {
    Tensor(input.spans.flatMap { pairs[Int(input.tokens[$0.start])] }, [input.spans.count, 2])
  }
}

/// A classifier that judges texts by their first token.
private final class TextModel: TableModel, SequenceClassifier {
  let problem: ClassificationProblem
  var labelCount: Int { table[0].count }

  init(_ table: [[Float]], _ problem: ClassificationProblem = .singleLabel) {
    self.problem = problem
    super.init(table)
  }

  func logits(_ input: SequenceInput, _ pass: Pass) -> Tensor {
    Tensor(input.spans.flatMap { table[Int(input.tokens[$0.start])] }, [input.spans.count, labelCount])
  }
}

private final class TokenModel: TableModel, TokenClassifier {
  var labelCount: Int { table[0].count }

  func logits(_ input: SequenceInput, _ pass: Pass) -> Tensor {
    Tensor(input.tokens.flatMap { table[Int($0)] }, [input.tokens.count, labelCount])
  }
}

/// A model with nothing but a loss: a tenth a term.
private final class PlainModel: TableModel, TrainableModel {
  func loss(_ batch: Batch, _ pass: Pass, scale: Float) -> Tensor { Tensor([scale * 0.1 * Float(batch.lossTermCount)], []) }
}

@Suite struct EvaluatorTests {
  private static let table: [[Float]] = [[0, 1, 2, 0.5], [3, -1, 0, 0], [0, 0, 4, 1], [1, 1.5, -2, 0]]

  private func figures(_ model: any TrainableModel, _ examples: [[EncodedExample]], _ objective: BatchObjective) throws -> [String: Double] {
    let batches = examples.map { Batch(collating: $0, objective: objective) }
    return Dictionary(uniqueKeysWithValues: try Evaluator.metrics(of: model, batches: batches).map { ($0.name, $0.value) })
  }

  /// A mean over the scored tokens of all batches, which are of different sizes; what is not scored counts nowhere.
  @Test func languageModels() throws {
    let model = BigramModel(Self.table)
    let examples = [
      [EncodedExample(tokens: [0, 2, 2, 3]), EncodedExample(tokens: [1])],
      [EncodedExample(tokens: [3, 1, 0, 0, 2, 1], isScored: [true, true, false, true, false, true])],
      [EncodedExample(tokens: [2])],
    ]
    let loss = model.meanLoss([(0, 2), (2, 2), (2, 3), (3, 1), (0, 0), (2, 1)])
    let figures = try figures(model, examples, .nextToken)
    #expect(Set(figures.keys) == ["loss", "perplexity", "token_accuracy"])
    #expect(abs(try #require(figures["loss"]) - loss) < 1e-6)
    #expect(abs(try #require(figures["perplexity"]) - exp(loss)) < 1e-5)
    // 0 -> 2, 2 -> 2 and 3 -> 1 are the likeliest.
    #expect(figures["token_accuracy"] == 0.5)
    #expect(model.trainingPasses == 0)
  }

  @Test func nothingToScoreIsNoNumberOutOfNothing() throws {
    let figures = try figures(BigramModel(Self.table), [[EncodedExample(tokens: [1])]], .nextToken)
    #expect(figures["loss"] == 0 && figures["perplexity"] == 1 && figures["token_accuracy"] == 0)
  }

  /// The mean over masked tokens and the mean over pairs, added up.
  @Test func sentencePairs() throws {
    let model = PairModel(Self.table, pairs: [[2, -1], [0, 1], [0.5, 0], [-3, 0]])
    func pair(_ tokens: [Int32], _ targets: [Int32], _ label: Int) -> EncodedExample {
      EncodedExample(tokens: tokens, label: .class(label), tokenLabels: targets.map { $0 < 0 ? Batch.ignoredTarget : $0 })
    }
    let figures = try figures(
      model, [[pair([0, 3], [2, -1], 0), pair([1, 2, 2], [-1, 2, 0], 0)], [pair([2, 0], [-1, 1], 1)]], .tokenLabels)
    let tokens = model.meanLoss([(0, 2), (2, 2), (2, 0), (0, 1)])
    let pairs = [-3, 1, 0.5].map { log1p(exp($0)) }.reduce(0, +) / 3
    #expect(abs(try #require(figures["loss"]) - tokens - pairs) < 1e-6)
    #expect(abs(try #require(figures["perplexity"]) - exp(tokens)) < 1e-5)
    #expect(figures["token_accuracy"] == 0.5)
    #expect(abs(try #require(figures["next_sentence_accuracy"]) - 1.0 / 3) < 1e-12)
  }

  @Test func classifiers() throws {
    let model = TextModel(Self.table)
    let labels: [[(token: Int32, label: Int)]] = [[(0, 2), (1, 0), (2, 3)], [(3, 1), (0, 1)], [(2, 2)]]
    let figures = try figures(
      model, labels.map { $0.map { EncodedExample(tokens: [$0.token, 1], label: .class($0.label)) } }, .labels)
    let loss = model.meanLoss([(0, 2), (1, 0), (2, 3), (3, 1), (0, 1), (2, 2)])
    #expect(abs(try #require(figures["loss"]) - loss) < 1e-6)
    // Predicted 2, 0, 2, 1, 2, 2 for 2, 0, 3, 1, 1, 2.
    #expect(abs(try #require(figures["accuracy"]) - 4.0 / 6) < 1e-12)
    // Of 1, 2/3, 2/3 and 0.
    #expect(abs(try #require(figures["f1"]) - 7.0 / 12) < 1e-12)
  }

  @Test func regression() throws {
    let model = TextModel([[1], [2], [4], [-1]], .regression)
    let values: [(Int32, Float)] = [(0, 1.5), (1, 2), (2, 3), (3, 0)]
    let examples = values.map { EncodedExample(tokens: [$0.0], label: .value($0.1)) }
    let figures = try figures(model, [Array(examples[..<3]), Array(examples[3...])], .labels)
    #expect(abs(try #require(figures["loss"]) - 2.25 / 4) < 1e-6)
    #expect(abs(try #require(figures["pearson"]) - Metrics.pearson([1, 2, 4, -1], [1.5, 2, 3, 0])) < 1e-9)
  }

  @Test func tokenClassifiers() throws {
    let model = TokenModel(Self.table)
    let ignored = Batch.ignoredTarget
    let figures = try figures(
      model,
      [
        [EncodedExample(tokens: [0, 1, 2], tokenLabels: [2, ignored, 1])],
        [EncodedExample(tokens: [3, 3], tokenLabels: [1, 0]), EncodedExample(tokens: [1], tokenLabels: [0])],
      ], .tokenLabels)
    let loss = model.meanLoss([(0, 2), (2, 1), (3, 1), (3, 0), (1, 0)])
    #expect(abs(try #require(figures["loss"]) - loss) < 1e-6)
    #expect(abs(try #require(figures["accuracy"]) - 0.6) < 1e-12)
  }

  @Test func anyOtherLoss() throws {
    let figures = try figures(PlainModel(Self.table), [[EncodedExample(tokens: [0, 1, 2])], [EncodedExample(tokens: [0, 1])]], .nextToken)
    #expect(Set(figures.keys) == ["loss"])
    #expect(abs(try #require(figures["loss"]) - 0.1) < 1e-6)
  }

  /// Three processes share four batches out, and come to the metrics of one process.
  @Test(arguments: [BatchObjective.nextToken, .labels, .tokenLabels]) func severalProcessesEvaluateAsOne(_ objective: BatchObjective) async throws {
    let counts = [3, 1, 2, 1]
    let batches = counts.enumerated().map { index, count in
      Batch(
        collating: (0..<count).map { row in
          let tokens = (0...row + index).map { Int32($0 * 7 % 4) }
          return EncodedExample(tokens: tokens, label: .class((row + index) % 4), tokenLabels: tokens.map { ($0 + 1) % 4 })
        }, objective: objective)
    }
    @Sendable func metrics(_ communicator: any Communicator) throws -> [Double] {
      let model: any TrainableModel =
        switch objective {
        case .labels: TextModel(Self.table)
        case .tokenLabels: TokenModel(Self.table)
        default: BigramModel(Self.table)
        }
      return try Evaluator.metrics(of: model, batches: batches, communicator: communicator).map(\.value)
    }
    let one = try metrics(SingleProcess())
    let meeting = Meeting(size: 3)
    let found = try await meeting.run { try metrics(ThreadRank(meeting: meeting, rank: $0)) }
    #expect(one.count >= 3 && one[0] > 0.1)
    for metrics in found { #expect(metrics == found[0] && metrics.count == one.count && isClose(metrics, one)) }
  }
}
