import CKernels

/// The way back of a structured scan: gradients of states from the last block to the first, then those of every block's rows.
extension StructuredScan {
  /// The results of all blocks.
  private struct Results {
    let x: Tensor, delta: Tensor, input: Tensor, output: Tensor
    /// `[blocks, 2, heads]`: the gradients of rates, by the rates themselves, and of skips.
    let perBlock: Tensor
  }

  /// - Parameter state: the states before the first rows; zero where nil.
  func accumulateGradients(_ gradient: Tensor, _ inputs: StructuredScanInputs, from state: Tensor?, on tape: Tape) {
    let starts = Tensor(uninitialized: [blocks.count, stateSize])
    let carried = state.map { concatenateRows([$0.detached]) } ?? .zeros([rows.spans.count, stateSize])
    advance(carried, inputs, over: rows.spans.indices.map(blocks(of:)), starts)
    let (ends, startGradient) = gradientsOfStates(gradient, inputs)
    let results = Results(
      x: rows.makeRows(width), delta: rows.makeRows(heads), input: .zeros([rows.count, parameters]), output: .zeros([rows.count, parameters]),
      perBlock: .zeros([blocks.count, 2, heads]))
    let rates = scanRates(inputs.rates, channels: heads)
    parallel(blocks.count * groups) { task in
      writeGradients(ofBlock: task / groups, group: task % groups, gradient, inputs, rates, starts, ends, results)
    }
    tape.accumulate(results.x, into: inputs.x)
    tape.accumulate(results.delta, into: inputs.delta)
    accumulateColumnSums(of: results.delta, into: inputs.stepBias.slot, on: tape)
    tape.accumulate(results.input, into: inputs.input)
    tape.accumulate(results.output, into: inputs.output)
    if let state { tape.accumulate(startGradient.reshaped(to: state.shape), into: state) }
    let total = Tensor.zeros([2, heads])
    for block in blocks.indices { graft_accumulate(total.mutablePointer, results.perBlock.pointer + block * 2 * heads, 2 * heads) }
    tape.accumulateZeroed(into: inputs.rates) { out in
      // A is its own derivative by its logarithm.
      for head in 0..<heads { out[head] += total.pointer[head] * rates.pointer[head] }
    }
    tape.accumulateZeroed(into: inputs.skip) { graft_accumulate($0, total.pointer + heads, heads) }
  }

  /// The gradients of the states behind every block, and of those before the first.
  private func gradientsOfStates(_ gradient: Tensor, _ inputs: StructuredScanInputs) -> (ends: Tensor, starts: Tensor) {
    let ends = Tensor(uninitialized: [blocks.count, stateSize])
    let carried = Tensor.zeros([rows.spans.count, stateSize])
    parallel(rows.spans.count * heads) { task in
      let (sequence, head) = (task / heads, task % heads)
      let own = state(carried, sequence, head)
      let scaled = Tensor(uninitialized: [Int(GRAFT_SCAN_BLOCK), headSize])
      for number in blocks(of: sequence).reversed() {
        let block = blocks[number]
        let weights = Weights(self, block, head)
        state(ends, number, head).update(from: own, count: headStateSize)
        graft_scale_rows(scaled.mutablePointer, channels(gradient, block, head), weights.from, block.count, headSize, headSize, width)
        graft_scale(own, own, weights.from[block.count - 1], headStateSize)
        multiplySerially(
          size, headSize, block.count, 1, operand(inputs.output, block, group: group(head), transposed: true), matrix(scaled.pointer, headSize), 1,
          own, headSize)
      }
    }
    return (ends, carried)
  }

  /// The gradients of a block's rows, of all heads of a group.
  private func writeGradients(
    ofBlock number: Int, group: Int, _ gradient: Tensor, _ inputs: StructuredScanInputs, _ rates: Tensor, _ starts: Tensor, _ ends: Tensor,
    _ results: Results
  ) {
    let block = blocks[number]
    let count = block.count
    let parameter = block.first * parameters + group * size
    let products = Tensor(uninitialized: [2, count, count])
    let mask = products.mutablePointer + count * count
    let dProducts = Tensor.zeros([count, count])
    let scaled = Tensor(uninitialized: [count, max(headSize, size)])
    let through = Tensor(uninitialized: [count, max(headSize, size)])
    let perRow = Tensor(uninitialized: [3, count])
    let (dSums, dSteps, dWeights) = (perRow.mutablePointer, perRow.mutablePointer + count, perRow.mutablePointer + 2 * count)
    let (input, output) = (operand(inputs.input, block, group: group), operand(inputs.output, block, group: group))
    multiplySerially(
      count, count, size, 1, output, operand(inputs.input, block, group: group, transposed: true), 0, products.mutablePointer, count)
    for head in group * (heads / groups)..<(group + 1) * (heads / groups) {
      let at = block.first * heads + head
      let (x, dy) = (channels(inputs.x, block, head), channels(gradient, block, head))
      let dx = results.x.mutablePointer + block.first * width + head * headSize
      let (start, end) = (state(starts, number, head), state(ends, number, head))
      let weights = Weights(self, block, head)
      // Of rows in each other: dM = dy xᵀ, which becomes M.
      multiplySerially(count, count, headSize, 1, matrix(dy, width), matrix(x, width, transposed: true), 0, mask, count)
      graft_structured_mask_gradient(
        mask, dProducts.mutablePointer, dSums, dSteps, products.pointer, steps.pointer + at, sums.pointer + at, count, heads)
      multiplySerially(count, headSize, count, 1, matrix(mask, count, transposed: true), matrix(dy, width), 0, dx, width)
      // Of rows in the state behind them.
      multiplySerially(count, headSize, size, 1, input, matrix(end, headSize), 0, through.mutablePointer, headSize)
      let dSkip = graft_structured_input_gradient(
        dx, dWeights, through.pointer, x, dy, weights.into, inputs.skip.pointer[head], count, headSize, width)
      graft_scale_rows(scaled.mutablePointer, x, weights.into, count, headSize, headSize, width)
      multiplySerially(
        count, size, headSize, 1, matrix(scaled.pointer, headSize), matrix(end, headSize, transposed: true), 1,
        results.input.mutablePointer + parameter, parameters)
      // Of the state before them in rows.
      graft_scale_rows(scaled.mutablePointer, dy, weights.from, count, headSize, headSize, width)
      multiplySerially(
        count, size, headSize, 1, matrix(scaled.pointer, headSize), matrix(start, headSize, transposed: true), 0, through.mutablePointer, size)
      graft_structured_output_gradient(
        results.output.mutablePointer + parameter, dSums, through.pointer, inputs.output.pointer + parameter, count, size, parameters)
      let dLast = weights.from[count - 1] * Float(graft_dot(start, end, headStateSize))
      let own = results.perBlock.mutablePointer + number * 2 * heads + head
      own[0] = graft_structured_step_gradient(
        results.delta.mutablePointer + at, inputs.delta.pointer + at, inputs.stepBias.pointer[head], rates.pointer[head],
        inputs.steps.lowerBound, inputs.steps.upperBound, steps.pointer + at, weights.into, dSums, dSteps, dWeights, dLast, count, heads)
      own[heads] = dSkip
    }
    multiplySerially(
      count, size, count, 1, matrix(dProducts.pointer, count, transposed: true), output, 1, results.input.mutablePointer + parameter, parameters)
    multiplySerially(count, size, count, 1, matrix(dProducts.pointer, count), input, 1, results.output.mutablePointer + parameter, parameters)
  }
}
