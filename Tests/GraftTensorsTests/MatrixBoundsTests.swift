import Foundation
import GraftTensors
import Testing

/// Memory that ends where a page begins which nobody may read: one element too far ends the process.
private final class GuardedMemory {
  private let base: UnsafeMutableRawPointer
  private let length: Int
  private let byteCount: Int

  init(byteCount: Int) throws {
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    self.byteCount = byteCount
    length = (byteCount + page - 1) / page * page + page
    let mapped = mmap(nil, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    base = try #require(mapped != MAP_FAILED ? mapped : nil)
    try #require(mprotect(base + length - page, page, PROT_NONE) == 0)
  }

  deinit { munmap(base, length) }

  /// The last bytes before the page.
  var bytes: UnsafeMutableRawPointer { base + length - Int(sysconf(Int32(_SC_PAGESIZE))) - byteCount }
}

@Suite struct MatrixBoundsTests {
  /// A copy of a tensor at the end of readable memory.
  private func guarded(_ source: Tensor) throws -> Tensor {
    let memory = try GuardedMemory(byteCount: source.byteCount)
    source.withUnsafeBytes { bytes in
      if let start = bytes.baseAddress { memory.bytes.copyMemory(from: start, byteCount: bytes.count) }
    }
    return Tensor(borrowing: memory.bytes, owner: memory, shape: source.shape, dtype: source.dtype)
  }

  /// Every number of columns that is left behind a tile, of matrices that are read where they are and of others.
  @Test(arguments: [WeightLayout.outputByInput, .inputByOutput], [ElementFormat.float32, .bfloat16, .float16])
  func nothingIsReadBeyondAMatrix(layout: WeightLayout, format: ElementFormat) throws {
    let stream = RandomStream(seed: 9)
    for columns in Array(1...72) + [104, 120, 136] {
      for (rows, terms) in [(1, 5), (2, 1), (13, 6), (15, 17)] {
        let x = stream.split("x").split(columns).uniform([rows, terms], in: -1..<1)
        let shape: Shape = layout == .outputByInput ? [columns, terms] : [terms, columns]
        let w = stream.split("w").split(columns).uniform(shape, in: -1..<1).converted(to: format)
        #expect(try linear(guarded(x), guarded(w), layout: layout).values == linear(x, w, layout: layout).values)
      }
    }
  }
}
