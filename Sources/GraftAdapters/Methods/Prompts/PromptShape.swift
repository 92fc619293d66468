import GraftLayers
import GraftTensors

/// The number of virtual tokens of a prompt method, and the embedding that takes them.
struct PromptShape {
  let embedding: Embedding
  /// Virtual tokens before every sequence.
  let count: Int
  /// Rows of the stored table: PEFT keeps a second set for models with two halves, of which only the first is used.
  let storedCount: Int

  var width: Int { embedding.weight.shape[1] }

  /// - Throws: `TuningError` where the number is missing, or the model embeds no tokens.
  init(_ virtualTokens: Int?, submodules: Int?, in sites: SiteCatalog) throws(TuningError) {
    guard let count = virtualTokens else { throw TuningError("num_virtual_tokens: is missing; say how many virtual tokens to train, such as 20") }
    guard count > 0 else { throw TuningError("num_virtual_tokens: is \(count); it must be at least 1") }
    guard let embedding = sites.sites.first(where: { $0.role == .tokenEmbedding })?.embedding else {
      throw TuningError("num_virtual_tokens: \(sites.modelType ?? "this model") has no token embedding that could take them")
    }
    (self.embedding, self.count) = (embedding, count)
    storedCount = count * (submodules ?? (sites.hasTwoHalves ? 2 : 1))
  }

  /// Ids for as many tokens as there are rows: a text's, cut off or repeated.
  /// - Throws: `TuningError` without a tokenizer or for a text without tokens, and what the tokenizer throws.
  func tokens(of text: String, key: String, _ services: AttachmentServices) throws -> [Int32] {
    guard let tokenize = services.tokenize else { throw TuningError("\(key): needs the model's tokenizer, which is missing") }
    let tokens = try tokenize(text)
    guard !tokens.isEmpty else { throw TuningError("\(key): \"\(text)\" has no tokens") }
    return (0..<storedCount).map { tokens[$0 % tokens.count] }
  }
}

extension SiteCatalog {
  /// True where the model has an encoder and a decoder.
  var hasTwoHalves: Bool { sites.contains { $0.attention?.place == .source } }
}

/// A trained linear layer of a network that makes prompts, with torch's initial values.
struct PromptLayer {
  let weight: Parameter, bias: Parameter

  init(_ scope: Scope, in inputs: Int, out outputs: Int, startsAtZero: Bool = false) throws {
    let initial: Initializer = startsAtZero ? .zeros : .uniform(bound: 1 / Float(inputs).squareRoot())
    weight = try scope.parameter("weight", [outputs, inputs], initial)
    bias = try scope.parameter("bias", [outputs], initial)
  }

  func callAsFunction(_ x: Tensor) -> Tensor { linear(x, weight.operand, bias: bias.operand) }

  /// Some of the outputs only.
  func callAsFunction(_ x: Tensor, outputs: Range<Int>) -> Tensor {
    linear(x, weight.operand.rows(outputs), bias: bias.operand.rows(outputs))
  }
}

/// Virtual tokens whose embeddings are trained, directly or through a network.
final class VirtualTokens: PromptAdapter {
  let virtualTokenCount: Int
  private let table: (Pass) -> Tensor

  /// - Parameter table: `[at least count, width]`.
  init(count: Int, table: @escaping (Pass) -> Tensor) { (virtualTokenCount, self.table) = (count, table) }

  func embeddings(_ pass: Pass) -> Tensor? {
    let rows = table(pass)
    return rows.shape[0] == virtualTokenCount ? rows : rows.rows(0..<virtualTokenCount)
  }
}

/// Places that virtual tokens take without embeddings, since they are keys and values.
final class VirtualPlaces: PromptAdapter {
  let virtualTokenCount: Int

  let movesTokens: Bool

  init(count: Int, movesTokens: Bool = true) { (virtualTokenCount, self.movesTokens) = (count, movesTokens) }

  func embeddings(_ pass: Pass) -> Tensor? { nil }
}
