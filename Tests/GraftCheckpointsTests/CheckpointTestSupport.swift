import Foundation
import GraftCheckpoints
import GraftTensors
import GraftTestSupport
import Testing

/// A file that another program wrote; see Scripts/make-checkpoint-goldens.py.
func fixture(_ name: String) -> String { Fixtures("GraftCheckpointsTests").path(name) }

func bytes(of path: String) throws -> [UInt8] {
  Array(try Data(contentsOf: URL(fileURLWithPath: path)))
}

/// Expects `body` to throw a `CheckpointError` of a kind whose description holds `text`.
func expectError<Result>(
  _ kind: CheckpointError.Kind, _ text: String = "", _ comment: Comment? = nil,
  sourceLocation: SourceLocation = #_sourceLocation,
  _ body: () throws -> Result
) {
  #expect(comment, sourceLocation: sourceLocation) {
    _ = try body()
  } throws: { error in
    guard let error = error as? CheckpointError else { return false }
    return error.kind == kind && (text.isEmpty || error.description.contains(text))
  }
}

func bits(_ tensor: Tensor) -> [UInt8] { tensor.withUnsafeBytes(Array.init) }

/// Bytes as a tensor of any type.
func tensor(bytes: [UInt8], _ shape: Shape, _ dtype: ElementFormat) -> Tensor {
  final class Owner {
    let bytes: UnsafeMutableRawBufferPointer
    init(_ content: [UInt8]) {
      bytes = .allocate(byteCount: max(content.count, 1), alignment: 64)
      bytes.copyBytes(from: content)
    }
    deinit { bytes.deallocate() }
  }
  let owner = Owner(bytes)
  return Tensor(borrowing: UnsafeRawPointer(owner.bytes.baseAddress!), owner: owner, shape: shape, dtype: dtype)
}
