import GraftBatching
import GraftLayers
import GraftTensors

/// A model that puts a head on another's hidden states.
public protocol HeadedModel: Model {
  /// The model that computes the hidden states.
  var base: any Model { get }
}

extension HeadedModel {
  public var modelType: String { base.modelType }
  public var catalog: SiteCatalog { base.catalog }
  public var vocabularySize: Int { base.vocabularySize }
  public var hiddenSize: Int { base.hiddenSize }
  public var maximumLength: Int? { base.maximumLength }
  public var segmentCount: Int { base.segmentCount }
  public var attentionStyle: AttentionStyle? { base.attentionStyle }
  public var outline: ModelOutline? { base.outline }
  public func hiddenStates(_ input: SequenceInput, _ pass: Pass) -> Tensor { base.hiddenStates(input, pass) }
  public func makeState(sequences: Int) -> SequenceState { base.makeState(sequences: sequences) }
}

/// An encoder that predicts the tokens behind masks.
public final class MaskedPredictor: MaskedLanguageModel, HeadedModel {
  public let base: any Model
  private let predictionHead: MaskedLanguageModelHead

  /// - Parameter base: an encoder.
  public init(_ base: any Model, head: MaskedLanguageModelHead) { (self.base, predictionHead) = (base, head) }

  public var head: LanguageModelHead { predictionHead.decoder }
  public func transformed(_ hidden: Tensor, _ pass: Pass) -> Tensor { predictionHead.transformed(hidden, pass) }

  /// The vocabulary's layer of BERT and its like: the embedding's matrix, or one of its own, with a bias beside it.
  /// - Parameters:
  ///   - head: the scope of the bias; the layer is called `decoder` in it, and may hold a bias, too, which then counts.
  ///   - tying: that of the layer to the embedding.
  static func decoder(in head: Scope, over table: Embedding, _ tying: Tying, _ initializer: Initializer) throws -> Linear {
    let scope = head / "decoder"
    let path = "\(scope.path).bias"
    let other = "\(head.path).bias"
    let ownBias = try scope.isInSource("bias") && (!head.isInSource("bias") || scope.areDifferent(path, other))
    let bias = try (ownBias ? scope : head).parameter("bias", [table.entries], .zeros)
    let isShared = try tying.isShared()
    let matrix = isShared ? table.weight : try scope.parameter("weight", table.weight.shape, initializer, keepsType: true)
    if isShared { tying.share(matrix) }
    scope.catalog.share(bias, as: ownBias ? other : path)
    return Linear(scope, sharing: matrix, bias: bias, role: .languageModelHead)
  }
}

/// BERT as it was pre-trained: masked tokens, and whether the second segment follows the first.
public final class PairPredictor: SentencePairModel, HeadedModel {
  public let base: any Model
  private let predictionHead: MaskedLanguageModelHead, pairHead: ClassificationHead

  /// - Parameters:
  ///   - base: an encoder.
  ///   - pairHead: the head of two labels: the second sentence follows, or does not.
  public init(_ base: any Model, head: MaskedLanguageModelHead, pairHead: ClassificationHead) {
    (self.base, predictionHead, self.pairHead) = (base, head, pairHead)
  }

  public var head: LanguageModelHead { predictionHead.decoder }
  public func transformed(_ hidden: Tensor, _ pass: Pass) -> Tensor { predictionHead.transformed(hidden, pass) }

  /// By the first state of each document, that of `[CLS]`.
  public func nextSentenceLogits(_ hidden: Tensor, _ input: SequenceInput, _ pass: Pass) -> Tensor {
    pairHead(gatherRows(hidden, Tensor(input.spans.map { Int32($0.start) })), pass)
  }
}

/// A classifier of whole texts by one hidden state of each.
public final class TextClassifier: SequenceClassifier, HeadedModel {
  public let base: any Model
  public let problem: ClassificationProblem
  private let head: ClassificationHead
  /// `[documents, hidden]`.
  private let pooled: (SequenceInput, Pass) -> Tensor

  /// By the first state, that of `[CLS]`; prompt tuning puts its first virtual token in that place, as PEFT does.
  public init(encoder: any EncodingModel, head: ClassificationHead, problem: ClassificationProblem) {
    (base, self.head, self.problem) = (encoder, head, problem)
    pooled = { input, pass in
      let encoded = encoder.encode(input, pass)
      return gatherRows(encoded.states, Tensor(encoded.spans.map { Int32($0.lowerBound) }))
    }
  }

  /// By the state of the last token that is no padding, which sees all before it: as in Transformers also where a text itself
  /// ends in what the model is padded with, and the first token's where it has no other.
  public init(decoder: any Model, head: ClassificationHead, problem: ClassificationProblem, paddingID: Int?) {
    (base, self.head, self.problem) = (decoder, head, problem)
    pooled = { input, pass in
      let rows = input.spans.map { span in
        guard let paddingID else { return Int32(span.range.upperBound - 1) }
        return Int32(span.range.last { Int(input.tokens[$0]) != paddingID } ?? span.start)
      }
      return gatherRows(decoder.hiddenStates(input, pass), Tensor(rows))
    }
  }

  public var labelCount: Int { head.labelCount }

  public func logits(_ input: SequenceInput, _ pass: Pass) -> Tensor { head(pooled(input, pass), pass) }
}

/// A classifier of every token.
public final class TokenLabeler: TokenClassifier, HeadedModel {
  public let base: any Model
  private let head: ClassificationHead

  /// - Parameter base: an encoder or a decoder.
  public init(_ base: any Model, head: ClassificationHead) { (self.base, self.head) = (base, head) }

  public var labelCount: Int { head.labelCount }
  public func logits(_ input: SequenceInput, _ pass: Pass) -> Tensor { head(hiddenStates(input, pass), pass) }
}
