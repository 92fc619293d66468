import GraftBatching
import GraftLayers
import GraftTensors

/// A model as generation reads it: a decoder continues prompts, the decoder of an encoder-decoder answers them.
///
/// The difference between the two is told once, here.
struct Decoder {
  let model: any LanguageModel
  /// The same model where it has an encoder, and the token that its decoder reads first.
  private let answering: (model: any SequenceToSequenceModel, startID: Int32)?

  /// - Parameter startID: the first token of an encoder-decoder's answers; the model's own where nil.
  /// - Throws: `GenerationError` for a model that does not generate, or a start outside its vocabulary.
  init(_ model: any Model, startID: Int32?) throws {
    guard let network = model as? any LanguageModel, model is any CausalLanguageModel || model is any SequenceToSequenceModel else {
      throw GenerationError(.unsupported, "\(model.modelType) as loaded is not supported by generation; use a decoder or an encoder-decoder")
    }
    guard model.attentionStyle != .bidirectional else {
      throw GenerationError(.unsupported, "\(model.modelType) with bidirectional attention is not supported by generation; use causal or prefix")
    }
    self.model = network
    answering = (model as? any SequenceToSequenceModel).map { ($0, startID ?? $0.generationStartID) }
    if let start = answering?.startID, start < 0 || start >= model.vocabularySize {
      throw GenerationError(
        .unsupported,
        "decoder_start_token_id: is \(start); \(model.modelType) has a vocabulary of \(model.vocabularySize): correct generation_config.json or config.json"
      )
    }
  }

  /// The tokens that are read before the first new one: the prompt, or an encoder-decoder's start token.
  func start(for prompt: [Int32]) -> [Int32] { answering.map { [$0.startID] } ?? prompt }

  /// The number of tokens that can be written before the model has no more positions; the last one needs none.
  func room(after start: [Int32]) -> Int {
    model.maximumLength.map { max(1, $0 - virtualTokenCount - start.count + 1) } ?? .max
  }

  /// The number of positions that virtual tokens take in front of a sequence.
  var virtualTokenCount: Int {
    answering == nil ? model.catalog.virtualTokenCount : model.catalog.targetVirtualTokenCount
  }

  /// Returns the encoder's states of prompts; nil for a decoder, which reads prompts itself.
  func encode(_ prompts: [[Int32]]) -> EncoderStates? { answering?.model.encode(SequenceInput(prompts), .inference) }

  /// Returns the hidden states that the head reads.
  /// - Parameters:
  ///   - input: the tokens that follow those in the pass's state.
  ///   - source: the encoder's states of the same sequences.
  /// - Returns: `[rows, hidden]`.
  func hiddenStates(_ input: SequenceInput, over source: EncoderStates?, _ pass: Pass) -> Tensor {
    guard let answering, let source else { return model.hiddenStates(input, pass) }
    return answering.model.decode(input, over: source, pass)
  }
}
