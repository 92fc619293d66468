import GraftTensors
import Testing

/// Counted computations take what real ones take, and compute nothing.
@Suite struct MemoryCountTests {
  /// Two products with what they keep for the way back.
  private func step(_ weight: Parameter, _ x: Tensor) -> Gradients {
    let tape = Tape()
    let loss = tape.record { sum(activate(linear(activate(linear(x, weight.matrix), .gelu), weight.matrix), .gelu)) }
    return tape.gradients(of: loss)
  }

  @Test func aCountHoldsWhatThePoolHolds() {
    let count = MemoryCount()
    let bytes = count.run { () -> Int in
      let weight = Parameter(path: "w", value: .zeros([512, 512]), isTrainable: true)
      let x = Tensor.zeros([2048, 512])
      let gradients = step(weight, x)
      return withExtendedLifetime((weight, x, gradients)) { count.bytesInUse }
    }
    // The weight, its gradient and the input.
    #expect(bytes == (1 << 20) + (1 << 20) + (4 << 20))
    #expect(count.bytesInUse == 0 && count.peakBytes > bytes)
  }

  @Test func terabytesTakeNoMemoryAndNoTime() {
    let count = MemoryCount()
    let start = ContinuousClock.now
    count.run {
      let weight = Parameter(path: "w", value: .zeros([1 << 18, 1 << 18]), isTrainable: true)
      _ = step(weight, .zeros([64, 1 << 18]))
    }
    #expect(count.peakBytes > 1 << 39 && ContinuousClock.now - start < .seconds(2))
  }

  @Test func aPeakBeginsAnewAndFreeBuffersCount() {
    let count = MemoryCount()
    count.run { _ = Tensor.zeros([1 << 20]) }
    // The buffer is free, and held.
    count.run { _ = Tensor.zeros([1 << 18]) }
    #expect(count.peakBytes == (4 << 20) + (1 << 20))
    count.resetPeak()
    #expect(count.peakBytes == 0)
    // Of a buffer a quarter larger than its tensor the pages behind that are never written.
    count.run { _ = Tensor.zeros([(1 << 18) + 1]) }
    #expect(count.peakBytes == (1 << 20) + 4096)
  }

  @Test func whatIsMadeInACountIsGivenBackToIt() {
    let count = MemoryCount()
    let before = BufferPool.shared.statistics.bytesFree
    var tensor: Tensor? = count.run { Tensor.zeros([1 << 22]) }
    #expect(count.bytesInUse == 16 << 20 && tensor?.elementCount == 1 << 22)
    // Outside it computes, with zeros.
    #expect(tensor.map { sum($0).scalar } == 0)
    tensor = nil
    #expect(count.bytesInUse == 0 && BufferPool.shared.statistics.bytesFree < before + (16 << 20))
  }
}
