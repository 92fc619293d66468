import GraftAdapters
import GraftLayers
import GraftTensors
import Testing

/// Adapters over weights that are stored in blocks.
@Suite struct BlockWeightTests {
  /// Blocks of Q8_0 whose bytes are all `0x3c`: the scale is 1.05859375, every quant is 60.
  private static func blocks(_ rows: Int, _ columns: Int) -> Weight {
    .blocks(GGMLMatrix(Tensor(repeating: 0x3c, bytes: ElementFormat.q8_0.bytes(for: rows * columns)), format: .q8_0, shape: [rows, columns]))
  }

  private func layer(_ weight: Weight) -> Linear {
    Linear(
      Scope(source: nil, catalog: SiteCatalog()) / "layer", sharing: Parameter(path: "layer.weight", stored: weight), role: nil)
  }

  @Test func `a layer computes from blocks what it does from their elements`() {
    let x = RandomStream(seed: 1).normal([4, 64])
    let blocks = Self.blocks(32, 64)
    #expect(layer(blocks)(x, .inference).values == layer(.dense(blocks.dense()))(x, .inference).values)
  }

  @Test func `merging into blocks is refused with what to do, and changes nothing`() throws {
    let layer = layer(Self.blocks(32, 64))
    let error = #expect(throws: TuningError.self) { try layer.merge { 2 * $0 } }
    #expect(error?.description == "layer.weight: is stored as Q8_0, which cannot take a sum; keep the adapter apart, or load the weights unquantized")
    #expect(layer.weight.format == .q8_0)
  }
}

extension Tensor {
  fileprivate init(repeating byte: UInt8, bytes count: Int) {
    self.init(uninitialized: [count], dtype: .uint8)
    rawPointer.initializeMemory(as: UInt8.self, repeating: byte, count: count)
  }
}
