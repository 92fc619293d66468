import GraftTensors

/// The programs whose quantized checkpoints are read, by the `quant_method` of a `quantization_config`.
public enum QuantizationMethod: String, Sendable, CaseIterable {
  /// Codes of 4 bits, and bytes with a factor a row.
  case bitsandbytes
  /// Floating-point numbers of 8 bits in squares, as of DeepSeek-V3.
  case fp8
  /// Floating-point numbers of 4 bits with shared powers of two, as of gpt-oss.
  case mxfp4
  /// Whole numbers in words of 32 bits with scales and zero points.
  case gptq, awq
}

/// The layout of files that hold matrices of a quantization.
public enum QuantizedLayout: Sendable {
  /// A checkpoint of Transformers with such a `quantization_config`.
  case transformers(QuantizationMethod)
  /// A GGUF file, as llama.cpp reads it.
  case gguf
}

extension WeightQuantization {
  /// The layout of its files; nil for a quantization that is made while loading alone.
  public var layout: QuantizedLayout? {
    switch self {
    case .nf4, .fp4, .int8: .transformers(.bitsandbytes)
    case .fp8E4M3: .transformers(.fp8)
    case .q8_0, .q4_0, .q4K, .q6K, .mxfp4: .gguf
    case .int8Blockwise: nil
    }
  }
}
