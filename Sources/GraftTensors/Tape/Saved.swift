/// A tensor that a pullback keeps for the way back, in the form that the execution at the time asks for.
///
/// Activations may rest in a smaller format without their operations knowing. Parameters lie in memory anyway, and
/// constants of a batch, such as indices and rotary tables, are shared by all layers: they stay as they are.
package struct Saved {
  private let kept: Tensor
  /// The slot of the tensor that was saved; its elements are the `kept` ones, or narrowed to them.
  package let slot: Slot
  private let isNarrowed: Bool
  /// The owner of a narrowed copy, which the operations that save the same tensor share.
  private let copy: NarrowedCopy?

  /// - Parameter exactly: true for what no rounding may touch, such as the statistics of rows.
  package init(_ x: Tensor, exactly: Bool = false) {
    slot = x.slot
    guard !exactly, x.dtype == .float32, case .converted(let format) = Execution.current.savedForm, x.isWorthNarrowing else {
      (kept, isNarrowed, copy) = (x, false, nil)
      return
    }
    let copy = NarrowedCopy.of(x, format)
    (kept, isNarrowed, self.copy) = (copy.tensor, true, copy)
  }

  /// The tensor that was saved, with its place on the tape.
  package var tensor: Tensor {
    guard isNarrowed else { return kept }
    var widened = kept.converted(to: .float32)
    (widened.node, widened.tapeSerial) = (slot.node, slot.tapeSerial)
    return widened
  }

  /// The elements that are widened at a time, to be read again from the first-level cache.
  private static let pieceLength = 2048

  /// Calls `body` with consecutive pieces of elements as float32: where they lie, or widened into memory of the calling thread.
  package func read(_ range: Range<Int>, _ body: (_ piece: Range<Int>, _ elements: UnsafePointer<Float>) -> Void) {
    guard isNarrowed else { return body(range, kept.pointer + range.lowerBound) }
    let source = kept.dtype
    withUnsafeTemporaryAllocation(of: Float.self, capacity: Self.pieceLength) { buffer in
      guard let wide = buffer.baseAddress else { return }
      for start in stride(from: range.lowerBound, to: range.upperBound, by: Self.pieceLength) {
        let piece = start..<min(range.upperBound, start + Self.pieceLength)
        convert(wide, .float32, kept.rawPointer + source.bytes(for: start), source, piece.count)
        body(piece, wide)
      }
    }
  }
}

/// A weight that a pullback keeps: a tensor as `Saved` does, since it may be an activation; blocks as they are.
enum SavedWeight {
  case dense(Saved)
  case blocks(any BlockMatrix)

  init(_ weight: Weight) {
    switch weight {
    case .dense(let tensor): self = .dense(Saved(tensor))
    case .blocks(let matrix): self = .blocks(matrix)
    }
  }

  var weight: Weight {
    switch self {
    case .dense(let saved): .dense(saved.tensor)
    case .blocks(let matrix): .blocks(matrix)
    }
  }
}

extension Saved {
  /// True where both keep the same bytes.
  package func sharesMemory(with other: Saved) -> Bool { kept.storage === other.kept.storage }
}

extension Tensor {
  /// False where nothing is recorded, and where the memory outlives the tape.
  fileprivate var isWorthNarrowing: Bool { Tape.current.map { !$0.isProbe } ?? false && !storage.isLasting }
}

/// A tensor's elements in a smaller format, made once for all operations that save it.
package final class NarrowedCopy {
  let tensor: Tensor
  private let offset: Int

  private init(_ x: Tensor, _ format: ElementFormat) { (tensor, offset) = (x.converted(to: format), x.offset) }

  static func of(_ x: Tensor, _ format: ElementFormat) -> NarrowedCopy {
    if let known = x.storage.narrowedCopy, known.offset == x.offset, known.tensor.shape == x.shape, known.tensor.dtype == format { return known }
    let copy = NarrowedCopy(x, format)
    x.storage.narrowedCopy = copy
    return copy
  }
}
