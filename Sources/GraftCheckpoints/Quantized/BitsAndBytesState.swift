import GraftJSON
import GraftTensors

/// The description of a matrix in codes of 4 bits, JSON in a tensor of bytes beside it (bitsandbytes' `QuantState.as_dict`).
struct BitsAndBytesState {
  /// The second quantization, of the factors.
  struct Nested {
    let blockLength: Int
    let offset: Float
  }

  let code: FourBitCode
  let shape: [Int]
  let blockLength: Int
  let elementType: ElementType
  let nested: Nested?

  /// The most bytes of a description.
  private static let maximumBytes = 4096
  private static let types: [String: ElementType] = ["float32": .float32, "bfloat16": .bfloat16, "float16": .float16]

  /// - Parameters:
  ///   - name: the matrix, for errors.
  ///   - directory: the checkpoint, for errors.
  /// - Throws: `CheckpointError` of kind `malformed`.
  init(_ bytes: [UInt8], of name: String, in directory: String) throws(CheckpointError) {
    func fail(_ problem: String) -> CheckpointError { .malformed(directory, "the quant_state of '\(name)' \(problem)") }
    guard bytes.count <= Self.maximumBytes, let json = try? bytes.withUnsafeBytes({ try JSON(parsing: $0) }), json.object != nil else {
      throw fail("is no JSON object of at most \(Self.maximumBytes) bytes")
    }
    switch json["quant_type"]?.string {
    case "nf4": code = .normalFloat
    case "fp4": code = .float
    default: throw fail("has a quant_type other than nf4 and fp4")
    }
    let lengths = json["shape"]?.array?.compactMap { $0.int } ?? []
    let (count, overflow) = (lengths.first ?? 0).multipliedReportingOverflow(by: lengths.last ?? 0)
    guard lengths.count == 2, json["shape"]?.array?.count == 2, lengths.allSatisfy({ $0 > 0 }), !overflow, count < 1 << 48 else {
      throw fail("has a shape that is no matrix's")
    }
    shape = lengths
    guard let length = json["blocksize"]?.int, (32...4096).contains(length), length & (length - 1) == 0 else {
      throw fail("has a blocksize that is no power of two from 32 to 4096")
    }
    blockLength = length
    guard let type = json["dtype"]?.string.flatMap({ Self.types[$0] }) else { throw fail("has a dtype that is no floating-point format") }
    elementType = type
    guard json["nested_blocksize"] != nil || json["nested_offset"] != nil else {
      nested = nil
      return
    }
    guard let group = json["nested_blocksize"]?.int, (1...1 << 20).contains(group), let offset = json["nested_offset"]?.double,
      Float(offset).isFinite,
      json["nested_dtype"]?.string == "float32"
    else { throw fail("has a nested_blocksize, nested_offset or nested_dtype that cannot be") }
    nested = Nested(blockLength: group, offset: Float(offset))
  }

  init(_ matrix: FourBitMatrix, elementType: ElementType) {
    (code, shape, blockLength, self.elementType) = (matrix.code, matrix.shape.dimensions, matrix.blockLength, elementType)
    nested = matrix.factors.nested.map { Nested(blockLength: $0.group, offset: $0.offset) }
  }

  /// The description as bitsandbytes writes it.
  var json: JSON {
    var members: [(String, JSON)] = [
      ("quant_type", .string(code.format.description)), ("blocksize", .integer(blockLength)),
      ("dtype", .string(Self.types.first { $0.value == elementType }?.key ?? "float32")), ("shape", .array(shape.map { .integer($0) })),
    ]
    if let nested {
      members += [
        ("nested_blocksize", .integer(nested.blockLength)), ("nested_dtype", .string("float32")), ("nested_offset", .number(Double(nested.offset))),
      ]
    }
    return .object(JSONObject(members))
  }
}
