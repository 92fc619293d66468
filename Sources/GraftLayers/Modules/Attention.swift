import Foundation
import GraftTensors

/// Multi-head attention: the projections are given to it, so that families differ only in names and options.
public final class Attention: Sublayer {
  /// The layers of queries, keys and values.
  public enum Projection {
    /// A layer each: `[heads * headSize, hidden]`, and keys and values of as many heads as they have.
    case separate(query: Linear, key: Linear, value: Linear)
    /// One layer, whose columns are those of all queries, of all keys and of all values.
    case fused(Linear)
    /// One layer, whose columns are the query, the key and the value of the first head, then those of the second, and so on (BLOOM).
    case fusedByHead(Linear)
  }

  /// The stack that it is in, and what it attends to there.
  public enum Place: Sendable {
    /// The only stack of a decoder or of an encoder, to itself.
    case alone
    /// A half of an encoder-decoder, to itself.
    case encoder, decoder
    /// The decoder's half, to what the encoder made.
    case source
  }

  /// The module's path, such as `model.layers.0.self_attn`.
  public let path: String
  /// The stack that it is in.
  public let place: Place
  /// Heads, sizes, and what becomes of the scores.
  public let options: AttentionOptions
  /// The layers of queries, keys and values.
  public let projection: Projection
  /// The layer of the output, `[hidden, heads * valueSize]`.
  public let output: Linear
  /// Norms of queries and keys before rotation: of every head (Qwen3), or of all heads together (OLMo 2), as their width says.
  public let queryNorm: Norm?, keyNorm: Norm?
  /// The index of the rotary table in `SequenceLayout.rotary` that queries and keys are rotated by; nil for none.
  public let rotary: Int?
  /// `[heads]`, a learned score that takes its share of every row's weights (gpt-oss).
  public let sinks: Parameter?
  /// The length beyond which scores grow with the logarithm of a query's position, outside training (Qwen); nil for none.
  public let scoresGrowBeyond: Int?
  /// The probability with which an element of the output is dropped in training.
  public let dropout: Float
  /// Keys and values before those of every sequence.
  public var prefix: (any AttentionPrefix)?
  /// A second attention beside this one.
  public var supplement: (any AttentionSupplement)?

  /// The attention at the path of `scope`, entered in its catalog.
  public init(
    _ scope: Scope, place: Place = .alone, _ options: AttentionOptions, _ projection: Projection, output: Linear,
    queryNorm: Norm? = nil, keyNorm: Norm? = nil, rotary: Int? = nil, sinks: Parameter? = nil, scoresGrowBeyond: Int? = nil,
    dropout: Float = 0
  ) {
    path = scope.path
    self.place = place
    self.options = options
    self.projection = projection
    self.output = output
    self.queryNorm = queryNorm
    self.keyNorm = keyNorm
    self.rotary = rotary
    self.sinks = sinks
    self.scoresGrowBeyond = scoresGrowBeyond
    self.dropout = dropout
    scope.catalog.add(Site(path: path, role: nil, module: .attention(self)))
  }

  public var last: Linear? { output }

  public func callAsFunction(_ x: Tensor, _ layout: SequenceLayout, _ pass: Pass, addingTo residual: consuming Tensor? = nil) -> Tensor {
    let context = place == .source ? attendedSource(x, layout, pass) : attendedSelf(x, layout, pass)
    return output(context, joining: residual, dropout: dropout, pass)
  }

  /// Attention of a sequence to itself.
  /// - Returns: `[rows, heads * valueSize]`.
  private func attendedSelf(_ x: Tensor, _ layout: SequenceLayout, _ pass: Pass) -> Tensor {
    var (q, k, v) = projected(x, pass)
    if let queryNorm { q = queryNorm(q) }
    if let keyNorm { k = keyNorm(k) }
    if let rotary {
      q = rotate(consume q, layout.rotary[rotary], headSize: options.headSize)
      k = rotate(consume k, layout.rotary[rotary], headSize: options.headSize)
    }
    if let growth = growth(of: layout.positions, pass) { q = scaleRows(q, by: growth) }
    var spans = layout.spans
    let shares = prefix?.shares(of: x, pass)
    if let state = pass.state {
      (k, v, spans) = keyValueState(in: state).append(keys: k, values: v, spans: spans, behind: prefix, shares: shares, of: state, pass)
    } else if let prefix {
      (k, v, spans) = prefix.prepended(toKeys: k, values: v, spans: spans, begins: spans.map { _ in true }, shares: shares, pass)
    }
    let context = attention(
      query: q, key: k, value: v, options, spans: spans, mask: layout.mask, bias: layout.bias, sinks: sinks?.operand,
      dropping: pass.dropping(at: path))
    return supplement?(q, addingTo: context, of: self, layout, pass) ?? context
  }

  /// The factors of queries whose scores grow: the logarithm of the number of tokens up to theirs, to the base of the length beyond which
  /// it exceeds 1 (Su 2021, "log n" scaling).
  /// - Returns: `[rows]`; nil where all are 1.
  private func growth(of positions: [Int32], _ pass: Pass) -> Tensor? {
    guard let length = scoresGrowBeyond, !pass.isTraining, positions.contains(where: { $0 >= length }) else { return nil }
    return Tensor(positions.map { max(1, log(Float($0 + 1)) / log(Float(length))) })
  }

  /// Attention of a decoder's sequence to what the encoder made of its source; a state keeps the source's keys and values.
  /// - Returns: `[rows, heads * valueSize]`.
  /// - Precondition: separate projections, and a source of as many documents in the layout.
  private func attendedSource(_ x: Tensor, _ layout: SequenceLayout, _ pass: Pass) -> Tensor {
    guard case .separate(let query, let key, let value) = projection, let source = layout.source else {
      preconditionFailure("\(path): cross-attention with one projection, or without a source")
    }
    func encode() -> EncodedState {
      EncodedState(keys: key(source.states, pass), values: value(source.states, pass), spans: source.spans)
    }
    let encoded = pass.state.map { state in state.layer(path) { encode().converted(to: state.rowFormat) } } ?? encode()
    return attention(
      query: query(x, pass), key: encoded.keys, value: encoded.values, options,
      spans: zip(layout.spans, encoded.spans).map { AttentionSpan(queries: $0.queries, keys: $1) }, mask: .bidirectional,
      dropping: pass.dropping(at: path))
  }

  /// Keys and values of earlier tokens: all, or those that the window sees.
  private func keyValueState(in state: SequenceState) -> KeyValueState {
    state.layer(path) { KeyValueState(sequences: state.lengths.count, window: state.keepsAllRows ? nil : options.window, format: state.rowFormat) }
  }

  private func projected(_ x: Tensor, _ pass: Pass) -> (query: Tensor, key: Tensor, value: Tensor) {
    switch projection {
    case .separate(let query, let key, let value): return (query(x, pass), key(x, pass), value(x, pass))
    case .fused(let layer):
      let joined = layer(x, pass)
      let queries = options.queryWidth
      let keys = options.keyWidth
      return (
        joined.columns(0..<queries), joined.columns(queries..<queries + keys), joined.columns(queries + keys..<joined.shape.columns)
      )
    case .fusedByHead(let layer):
      let joined = layer(x, pass)
      let size = options.headSize
      let heads = joined.reshaped(to: [joined.shape.rows * options.heads, 3 * size])
      func part(_ index: Int) -> Tensor {
        heads.columns(index * size..<(index + 1) * size).reshaped(to: [joined.shape.rows, options.heads * size])
      }
      return (part(0), part(1), part(2))
    }
  }
}
