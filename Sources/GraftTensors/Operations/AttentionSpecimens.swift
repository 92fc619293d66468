/// Attention of a specimen's first three inputs.
private func attended(
  _ inputs: [Tensor], _ options: AttentionOptions, _ spans: [AttentionSpan], _ mask: AttentionMask = .causal, bias: DistanceBias? = nil,
  sinks: Tensor? = nil, dropping: RandomStream? = nil
) -> Tensor {
  attention(
    query: inputs[0], key: inputs[1], value: inputs[2], options, spans: spans, mask: mask, bias: bias, sinks: sinks, dropping: dropping)
}

let attentionSpecimens: [OperationSpecimen] = [
  OperationSpecimen("attention, causal, grouped, packed", .init("query", [7, 12]), .init("key", [7, 6]), .init("value", [7, 4])) {
    attended(
      $0, AttentionOptions(heads: 4, keyValueHeads: 2, headSize: 3, valueSize: 2), [AttentionSpan(0..<3), AttentionSpan(3..<7)])
  },
  OperationSpecimen("attention, runs of keys", .init("query", [5, 4]), .init("key", [9, 2]), .init("value", [9, 3])) {
    // The first two rows are a prefix that both spans share.
    attended(
      $0, AttentionOptions(heads: 2, keyValueHeads: 1, headSize: 2, valueSize: 3),
      [
        AttentionSpan(queries: 0..<3, keys: KeyRows([0..<2, 4..<7])), AttentionSpan(queries: 3..<5, keys: KeyRows([0..<2, 8..<9, 3..<4])),
      ])
  },
  OperationSpecimen("attention, several blocks", .init("query", [150, 4]), .init("key", [150, 4]), .init("value", [150, 4])) {
    attended($0, AttentionOptions(heads: 2, headSize: 2), [AttentionSpan(0..<150)])
  },
  OperationSpecimen("attention, window, padding", .init("query", [9, 4]), .init("key", [9, 2]), .init("value", [9, 3])) {
    attended(
      $0, AttentionOptions(heads: 2, keyValueHeads: 1, headSize: 2, valueSize: 3, window: 2), [AttentionSpan(0..<4), AttentionSpan(5..<8)])
  },
  OperationSpecimen("attention, cached keys", .init("query", [2, 4]), .init("key", [5, 4]), .init("value", [5, 4])) {
    attended($0, AttentionOptions(heads: 2, headSize: 2), [AttentionSpan(queries: 0..<2, keys: 0..<5)])
  },
  OperationSpecimen("attention, dropout", .init("query", [70, 4]), .init("key", [70, 4]), .init("value", [70, 4])) {
    attended($0, AttentionOptions(heads: 2, headSize: 2, dropout: 0.3), [AttentionSpan(0..<70)], dropping: RandomStream(seed: 3))
  },
  OperationSpecimen("attention, prefix", .init("query", [6, 4]), .init("key", [6, 4]), .init("value", [6, 4])) {
    attended($0, AttentionOptions(heads: 1, headSize: 4), [AttentionSpan(0..<6)], .prefix(lengths: [3]))
  },
  OperationSpecimen(
    "attention, bidirectional, distance bias", .init("query", [5, 4]), .init("key", [5, 4]), .init("value", [5, 4]), .init("bias", [2, 13])
  ) {
    attended($0, AttentionOptions(heads: 2, headSize: 2, scale: 1), [AttentionSpan(0..<5)], .bidirectional, bias: DistanceBias($0[3]))
  },
  OperationSpecimen(
    "attention, scaled, distance bias", .init("query", [4, 4]), .init("key", [4, 2]), .init("value", [4, 3]), .init("bias", [2, 9])
  ) {
    attended(
      $0, AttentionOptions(heads: 2, keyValueHeads: 1, headSize: 2, valueSize: 3, scale: 0.3), [AttentionSpan(0..<4)],
      bias: DistanceBias($0[3]))
  },
  OperationSpecimen("attention, window, several blocks", .init("query", [90, 4]), .init("key", [90, 4]), .init("value", [90, 2])) {
    attended(
      $0, AttentionOptions(heads: 2, headSize: 2, valueSize: 1, window: 20), [AttentionSpan(0..<75), AttentionSpan(75..<90)])
  },
  OperationSpecimen(
    "attention, softcap", .init("query", [40, 8], in: -3..<3), .init("key", [40, 4], in: -3..<3), .init("value", [40, 6])
  ) {
    attended(
      $0, AttentionOptions(heads: 4, keyValueHeads: 2, headSize: 2, valueSize: 3, scale: 0.7, softcap: 2), [AttentionSpan(0..<35)])
  },
  OperationSpecimen(
    "attention, softcap, distance bias, dropout", .init("query", [6, 4], in: -3..<3), .init("key", [6, 4], in: -3..<3), .init("value", [6, 4]),
    .init("bias", [2, 13])
  ) {
    attended(
      $0, AttentionOptions(heads: 2, headSize: 2, softcap: 1.5, dropout: 0.3), [AttentionSpan(0..<6)], .bidirectional,
      bias: DistanceBias($0[3]), dropping: RandomStream(seed: 3))
  },
  OperationSpecimen(
    "attention, slopes", .init("query", [7, 6]), .init("key", [9, 6]), .init("value", [9, 6])
  ) {
    attended(
      $0, AttentionOptions(heads: 3, headSize: 2), [AttentionSpan(queries: 0..<2, keys: 0..<4), AttentionSpan(queries: 2..<7, keys: 4..<9)],
      bias: DistanceBias(slopes: DistanceBias.slopes(heads: 3), maximumDistance: 5))
  },
  OperationSpecimen(
    "attention, sinks", .init("query", [45, 8]), .init("key", [45, 4]), .init("value", [45, 6]), .init("sinks", [4])
  ) {
    attended(
      $0, AttentionOptions(heads: 4, keyValueHeads: 2, headSize: 2, valueSize: 3, window: 5), [AttentionSpan(0..<3), AttentionSpan(3..<45)],
      sinks: $0[3])
  },
  OperationSpecimen(
    "attention, sinks, dropout", .init("query", [5, 4]), .init("key", [5, 4]), .init("value", [5, 4]), .init("sinks", [2])
  ) {
    attended(
      $0, AttentionOptions(heads: 2, headSize: 2, dropout: 0.3), [AttentionSpan(0..<5)], sinks: $0[3], dropping: RandomStream(seed: 3))
  },
  // Sequences longer than a block of keys.
  OperationSpecimen("attention, key blocks, grouped", .init("query", [640, 8]), .init("key", [640, 4]), .init("value", [640, 6])) {
    attended(
      $0, AttentionOptions(heads: 4, keyValueHeads: 2, headSize: 2, valueSize: 3), [AttentionSpan(0..<600), AttentionSpan(600..<635)])
  },
  OperationSpecimen(
    "attention, key blocks, bidirectional, distance bias", .init("query", [530, 4]), .init("key", [530, 4]), .init("value", [530, 4]),
    .init("bias", [2, 1059])
  ) {
    attended($0, AttentionOptions(heads: 2, headSize: 2, scale: 0.3), [AttentionSpan(0..<530)], .bidirectional, bias: DistanceBias($0[3]))
  },
  OperationSpecimen(
    "attention, key blocks, window, sinks, dropout", .init("query", [1100, 4]), .init("key", [1100, 2]), .init("value", [1100, 3]),
    .init("sinks", [2])
  ) {
    attended(
      $0, AttentionOptions(heads: 2, keyValueHeads: 1, headSize: 2, valueSize: 3, window: 520, dropout: 0.3), [AttentionSpan(0..<1100)],
      sinks: $0[3], dropping: RandomStream(seed: 3))
  },
  OperationSpecimen(
    "attention, key blocks, prefix, softcap", .init("query", [560, 4], in: -3..<3), .init("key", [560, 4], in: -3..<3), .init("value", [560, 2])
  ) {
    attended(
      $0, AttentionOptions(heads: 2, headSize: 2, valueSize: 1, scale: 0.7, softcap: 2), [AttentionSpan(0..<560)], .prefix(lengths: [520]))
  },
  OperationSpecimen("attention, key blocks, runs of keys", .init("query", [46, 4]), .init("key", [700, 2]), .init("value", [700, 3])) {
    attended(
      $0, AttentionOptions(heads: 2, keyValueHeads: 1, headSize: 2, valueSize: 3),
      [AttentionSpan(queries: 0..<40, keys: KeyRows([0..<100, 150..<640])), AttentionSpan(queries: 40..<46, keys: KeyRows([0..<100, 640..<700]))])
  },
  // The second span's queries see no key at all.
  OperationSpecimen(
    "attention, key blocks, another source", .init("query", [560, 4]), .init("key", [8, 4]), .init("value", [8, 4]), .init("sinks", [2])
  ) {
    attended(
      $0, AttentionOptions(heads: 2, headSize: 2),
      [AttentionSpan(queries: 0..<550, keys: 0..<8), AttentionSpan(queries: 550..<560, keys: 3..<3)], .bidirectional, sinks: $0[3])
  },
]
