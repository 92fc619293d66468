import GraftBatching
import GraftTensors

/// A model with an encoder, whose states others read: a decoder or a classifier.
public protocol EncodingModel: Model {
  /// The encoder's states of its input; a state in the pass is a decoder's and is left alone.
  func encode(_ input: SequenceInput, _ pass: Pass) -> EncoderStates
}

extension EncodingModel {
  public func hiddenStates(_ input: SequenceInput, _ pass: Pass) -> Tensor { encode(input, pass).tokenStates }
}

/// An encoder that reads a source and a decoder that predicts a target from it.
public protocol SequenceToSequenceModel: LanguageModel, EncodingModel {
  /// The token that the decoder reads in front of the target: `BatchObjective.shiftedRight(startID:)`.
  var decoderStartID: Int32 { get }
  /// The token that the decoder reads first where it generates: the same, unless the checkpoint's `generation_config.json` says otherwise.
  var generationStartID: Int32 { get set }
  /// The decoder's hidden states as the head reads them.
  ///
  /// With a state in the pass, `input` holds the tokens since the last call, and the source is projected only once.
  /// - Parameter input: one span for each document of `source`.
  /// - Returns: `[rows, hidden]`.
  func decode(_ input: SequenceInput, over source: EncoderStates, _ pass: Pass) -> Tensor
}

extension SequenceToSequenceModel {
  /// - Precondition: the batch has an encoder's input.
  public func headInputs(_ batch: Batch, rows: [Int32], _ pass: Pass) -> Tensor {
    guard let source = batch.source else { preconditionFailure("\(modelType): a batch without an encoder's input") }
    return gatherRows(decode(batch.input, over: encode(source, pass), pass), Tensor(rows))
  }
}
