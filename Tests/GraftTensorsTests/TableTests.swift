import GraftTensors
import Testing

/// Rows of tables.
@Suite struct TableTests {
  /// The states that a recurrent layer begins with are a table of one row, longer than what one task handles.
  @Test func aRowMayBeLongerThanATask() {
    let columns = elementwiseGrain + 7
    let table = Parameter(path: "table", value: RandomStream(seed: 1).normal([1, columns]), isTrainable: true)
    let tape = Tape()
    let loss = tape.record { sum(gatherRows(table.operand, Tensor([0, 0, 0] as [Int32]))) }
    #expect(tape.gradients(of: loss)[table]?.values == Array(repeating: 3, count: columns))
  }
}
