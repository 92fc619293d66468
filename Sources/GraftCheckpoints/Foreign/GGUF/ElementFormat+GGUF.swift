import GraftTensors

extension ElementFormat {
  /// The formats by ggml's numbers (`enum ggml_type`); numbers between them have been given up.
  private static let ggmlTypes: [(number: UInt32, format: ElementFormat)] = [
    (0, .float32), (1, .float16), (2, .q4_0), (3, .q4_1), (6, .q5_0), (7, .q5_1), (8, .q8_0), (9, .q8_1), (10, .q2_K), (11, .q3_K), (12, .q4_K),
    (13, .q5_K), (14, .q6_K), (15, .q8_K), (16, .iq2_XXS), (17, .iq2_XS), (18, .iq3_XXS), (19, .iq1_S), (20, .iq4_NL), (21, .iq3_S), (22, .iq2_S),
    (23, .iq4_XS), (24, .int8), (25, .int16), (26, .int32), (27, .int64), (28, .float64), (29, .iq1_M), (30, .bfloat16), (34, .tq1_0),
    (35, .tq2_0), (39, .mxfp4),
  ]

  /// The format of a number in a GGUF file; nil for one that is unknown.
  init?(ggmlType number: UInt32) {
    guard let known = Self.ggmlTypes.first(where: { $0.number == number }) else { return nil }
    self = known.format
  }

  /// The number in a GGUF file; nil where ggml has none.
  var ggmlType: UInt32? { Self.ggmlTypes.first { $0.format == self }?.number }
}
