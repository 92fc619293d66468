import GraftLayers
import GraftTensors

/// `h = h / 2 + x`, from ones on: a recurrence in place of attention.
struct ToyRecurrence {
  let path: String

  /// - Parameter x: `[rows, width]`.
  func callAsFunction(_ x: Tensor, _ layout: SequenceLayout, _ pass: Pass) -> Tensor {
    let width = x.shape[1]
    let initial = Tensor([Float](repeating: 1, count: width))
    let state = pass.state.map { sequences in
      sequences.layer(path) { RecurrentState(sequences: sequences.lengths.count, initial: [initial]) }
    }
    var starts = state?.tensors[0].values ?? layout.spans.flatMap { _ in initial.values }
    let values = x.values
    var out = [Float](repeating: 0, count: values.count)
    for (index, span) in layout.spans.enumerated() {
      for row in span.queries {
        for column in 0..<width {
          starts[index * width + column] = starts[index * width + column] / 2 + values[row * width + column]
          out[row * width + column] = starts[index * width + column]
        }
      }
    }
    state?.update([Tensor(starts, [layout.spans.count, width])], after: layout.spans.map(\.queries.count))
    return Tensor(out, x.shape)
  }
}

/// The sum of all rows up to a token's own, each half of the one behind it, from a compressed cache in two parts.
struct ToyLatentAttention {
  let path: String

  /// - Parameter x: `[rows, width]`.
  func callAsFunction(_ x: Tensor, _ layout: SequenceLayout, _ pass: Pass) -> Tensor {
    let width = x.shape[1]
    var latents = x.columns(0..<width - 3)
    var rotaryKeys = x.columns(width - 3..<width)
    var rows = layout.spans.map(\.keys)
    if let sequences = pass.state {
      let state = sequences.layer(path) { LatentState(sequences: sequences.lengths.count) }
      (latents, rotaryKeys, rows) = state.append(
        latents: latents, rotaryKeys: rotaryKeys, spans: layout.spans.map(\.queries), of: sequences)
    }
    let (first, second) = (latents.values, rotaryKeys.values)
    var out = [Float](repeating: 0, count: x.elementCount)
    for (span, keys) in zip(layout.spans, rows) {
      var held: [Int] = []
      keys.forEachRun { rows, _ in held += rows }
      var sum = [Float](repeating: 0, count: width)
      for (index, row) in held.enumerated() {
        for column in 0..<width {
          let value = column < width - 3 ? first[row * (width - 3) + column] : second[row * 3 + column - (width - 3)]
          sum[column] = sum[column] / 2 + value
        }
        let query = index - (held.count - span.queries.count)
        if query >= 0 { out.replaceSubrange((span.queries.lowerBound + query) * width..<(span.queries.lowerBound + query + 1) * width, with: sum) }
      }
    }
    return Tensor(out, x.shape)
  }
}

/// Trained keys and values in front of a sequence.
final class ToyPrefix: AttentionPrefix {
  let virtualTokenCount: Int
  private let width: Int

  init(count: Int, width: Int) {
    virtualTokenCount = count
    self.width = width
  }

  func keysAndValues(_ pass: Pass) -> (keys: Tensor, values: Tensor) {
    let stream = RandomStream(seed: 31)
    return (
      stream.split("keys").uniform([virtualTokenCount, width], in: -1..<1), stream.split("values").uniform([virtualTokenCount, width], in: -1..<1)
    )
  }
}
