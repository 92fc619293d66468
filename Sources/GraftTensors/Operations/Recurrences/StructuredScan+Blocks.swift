import CKernels

/// One structured scan in its block form, forward and backward.
struct StructuredScan {
  let rows: SequenceRows
  let heads: Int, headSize: Int, groups: Int, size: Int
  /// `[rows, heads]`: the sizes of steps, and the sums of the logarithms of decays since the first row of each block.
  let steps: Tensor, sums: Tensor
  /// The blocks of all sequences, one sequence after another, and the first of each sequence.
  let blocks: [Block], firstBlocks: [Int]
  /// The format that the operands of products are rounded to; the threads of a pool know no execution.
  let rounding = Execution.current.arithmetic.operandFormat

  /// Some consecutive rows of a sequence.
  struct Block {
    let first: Int, count: Int
  }

  /// Blocks of a sequence whose states are kept at once where no gradient needs all of them.
  static let stripe = 32
  /// Rows are computed one after another where no sequence has more than so many.
  static let fewRows = 8
  /// The most heads of a task.
  static let headsOfTask = 8

  init(_ inputs: StructuredScanInputs, _ rows: SequenceRows) {
    (self.rows, groups, heads) = (rows, inputs.groups, inputs.delta.shape.columns)
    (headSize, size) = (inputs.x.shape.columns / heads, inputs.input.shape.columns / groups)
    precondition(heads % groups == 0 && inputs.x.shape == [rows.count, heads * headSize], "\(inputs.x.shape) for \(heads) heads")
    precondition(inputs.delta.shape == [rows.count, heads] && inputs.stepBias.elementCount == heads, "steps \(inputs.delta.shape)")
    precondition(inputs.rates.elementCount == heads && inputs.skip.elementCount == heads, "rates \(inputs.rates.shape) for \(heads) heads")
    precondition(inputs.input.shape == [rows.count, groups * size] && inputs.output.shape == inputs.input.shape, "\(inputs.input.shape)")
    let length = Int(GRAFT_SCAN_BLOCK)
    blocks = rows.spans.flatMap { span in
      stride(from: span.lowerBound, to: span.upperBound, by: length).map { Block(first: $0, count: min(length, span.upperBound - $0)) }
    }
    firstBlocks = rows.chunks(of: length).first
    (steps, sums) = Self.steps(inputs, blocks)
  }

  private static func steps(_ inputs: StructuredScanInputs, _ blocks: [Block]) -> (Tensor, Tensor) {
    let heads = inputs.delta.shape.columns
    let rates = scanRates(inputs.rates, channels: heads)
    let (steps, sums) = (Tensor(uninitialized: inputs.delta.shape), Tensor(uninitialized: inputs.delta.shape))
    parallel(blocks.count) { index in
      let (at, count) = (blocks[index].first * heads, blocks[index].count)
      graft_structured_steps(
        steps.mutablePointer + at, sums.mutablePointer + at, inputs.delta.pointer + at, inputs.stepBias.pointer, rates.pointer,
        inputs.steps.lowerBound, inputs.steps.upperBound, count, heads)
    }
    return (steps, sums)
  }

  var headStateSize: Int { size * headSize }
  var stateSize: Int { heads * headStateSize }
  var width: Int { heads * headSize }
  var parameters: Int { groups * size }
  var isLong: Bool { rows.spans.contains { $0.count > Self.fewRows } }

  /// The group that a head belongs to.
  func group(_ head: Int) -> Int { head / (heads / groups) }

  func blocks(of sequence: Int) -> Range<Int> {
    firstBlocks[sequence]..<(sequence + 1 < firstBlocks.count ? firstBlocks[sequence + 1] : blocks.count)
  }

  /// The blocks of every sequence, so many of each at a time.
  private func stripes(of length: Int) -> [[Range<Int>]] {
    let all = rows.spans.indices.map(blocks(of:))
    let longest = all.map(\.count).max() ?? 0
    return stride(from: 0, to: longest, by: length).map { start in
      all.map { min($0.upperBound, $0.lowerBound + start)..<min($0.upperBound, $0.lowerBound + start + length) }
    }
  }

  // -- a block's operands of one head or group -----------------------------------------------------------

  func channels(_ x: Tensor, _ block: Block, _ head: Int) -> UnsafePointer<Float> { x.pointer + block.first * width + head * headSize }

  /// The rows of `input` or `output` that a group of heads reads, `[count, size]`.
  func operand(_ x: Tensor, _ block: Block, group: Int, transposed: Bool = false) -> MatrixOperand {
    MatrixOperand(x.pointer + block.first * parameters + group * size, stride: parameters, transposed: transposed, rounding: rounding)
  }

  func matrix(_ base: UnsafePointer<Float>, _ stride: Int, transposed: Bool = false) -> MatrixOperand {
    MatrixOperand(base, stride: stride, transposed: transposed, rounding: rounding)
  }

  func state(_ states: Tensor, _ block: Int, _ head: Int) -> UnsafeMutablePointer<Float> {
    states.mutablePointer + (block * heads + head) * headStateSize
  }

  /// The weights of a block's rows in the state behind it, and those of the state before it in its rows.
  struct Weights {
    /// `[2, count]`.
    private let both: Tensor

    init(_ scan: StructuredScan, _ block: Block, _ head: Int) {
      both = Tensor(uninitialized: [2, block.count])
      let at = block.first * scan.heads + head
      graft_structured_weights(
        both.mutablePointer, both.mutablePointer + block.count, scan.steps.pointer + at, scan.sums.pointer + at, block.count, scan.heads)
    }

    var into: UnsafePointer<Float> { both.pointer }
    var from: UnsafePointer<Float> { both.pointer + both.shape.columns }
  }

  // -- forward -------------------------------------------------------------------------------------------

  /// Row after row.
  /// - Parameter state: changed in place.
  func forwardRows(_ inputs: StructuredScanInputs, state: Tensor) -> Tensor {
    let out = rows.makeRows(width)
    parallel(rows.spans.count * heads) { task in
      let (sequence, head) = (task / heads, task % heads)
      let span = rows.spans[sequence]
      let block = Block(first: span.lowerBound, count: span.count)
      let parameter = span.lowerBound * parameters + group(head) * size
      graft_structured_rows(
        out.mutablePointer + span.lowerBound * width + head * headSize, self.state(state, sequence, head), channels(inputs.x, block, head),
        inputs.input.pointer + parameter, inputs.output.pointer + parameter, steps.pointer + span.lowerBound * heads + head,
        sums.pointer + span.lowerBound * heads + head, inputs.skip.pointer[head], span.count, headSize, width, heads, size, parameters)
    }
    return out
  }

  /// Block after block.
  /// - Parameter state: changed in place.
  func forward(_ inputs: StructuredScanInputs, state: Tensor) -> Tensor {
    let out = rows.makeRows(width)
    for stripe in stripes(of: Self.stripe) {
      let starts = Tensor(uninitialized: [stripe.reduce(0) { $0 + $1.count }, stateSize])
      let places = advance(state, inputs, over: stripe, starts)
      // Heads of a group share the products of their inputs and outputs.
      let tasks = stride(from: 0, to: heads, by: min(Self.headsOfTask, heads / groups)).map {
        $0..<min($0 + Self.headsOfTask, (group($0) + 1) * (heads / groups))
      }
      parallel(places.count * tasks.count) { task in
        let (place, part) = (task / tasks.count, tasks[task % tasks.count])
        writeRows(of: blocks[places[place]], part, from: starts, place, inputs, to: out)
      }
    }
    return out
  }

  /// Carries the states of all sequences over some blocks of each.
  /// - Parameters:
  ///   - state: `[sequences, heads * size * headSize]`, changed in place.
  ///   - starts: takes the states before every block, in the order of the blocks returned.
  @discardableResult
  func advance(_ state: Tensor, _ inputs: StructuredScanInputs, over stripe: [Range<Int>], _ starts: Tensor) -> [Int] {
    var first: [Int] = []
    var places: [Int] = []
    for part in stripe {
      first.append(places.count)
      places += part
    }
    parallel(stripe.count * heads) { task in
      let (sequence, head) = (task / heads, task % heads)
      let carried = self.state(state, sequence, head)
      let scaled = Tensor(uninitialized: [Int(GRAFT_SCAN_BLOCK), headSize])
      for (index, number) in stripe[sequence].enumerated() {
        let block = blocks[number]
        self.state(starts, first[sequence] + index, head).update(from: carried, count: headStateSize)
        let weights = Weights(self, block, head)
        graft_scale_rows(scaled.mutablePointer, channels(inputs.x, block, head), weights.into, block.count, headSize, headSize, width)
        graft_scale(carried, carried, weights.from[block.count - 1], headStateSize)
        multiplySerially(
          size, headSize, block.count, 1, operand(inputs.input, block, group: group(head), transposed: true), matrix(scaled.pointer, headSize), 1,
          carried, headSize)
      }
    }
    return places
  }

  /// The rows of a block, of some heads of one group.
  private func writeRows(
    of block: Block, _ part: Range<Int>, from starts: Tensor, _ place: Int, _ inputs: StructuredScanInputs, to out: Tensor
  ) {
    let count = block.count
    let group = group(part.lowerBound)
    let products = Tensor(uninitialized: [2, count, count])
    let mask = products.mutablePointer + count * count
    let output = operand(inputs.output, block, group: group)
    multiplySerially(
      count, count, size, 1, output, operand(inputs.input, block, group: group, transposed: true), 0, products.mutablePointer, count)
    for head in part {
      let at = block.first * heads + head
      let o = out.mutablePointer + block.first * width + head * headSize
      let x = channels(inputs.x, block, head)
      let weights = Weights(self, block, head)
      multiplySerially(count, headSize, size, 1, output, matrix(state(starts, place, head), headSize), 0, o, width)
      graft_structured_output(o, x, weights.from, inputs.skip.pointer[head], count, headSize, width)
      graft_structured_mask(mask, products.pointer, steps.pointer + at, sums.pointer + at, count, heads)
      multiplySerially(count, headSize, count, 1, matrix(mask, count), matrix(x, width), 1, o, width)
    }
  }
}
