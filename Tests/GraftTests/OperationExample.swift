import Graft

/// `limit tanh(x / limit)`, elementwise: values that stay between `-limit` and `limit`.
func bounded(_ x: Tensor, by limit: Float) -> Tensor {
  customOperation("bounded", of: [x]) { inputs in
    limit * activate((1 / limit) * inputs[0], .tanh)
  } pullback: { gradient, inputs, output in
    // The slope is 1 - (y / limit)^2.
    let share = (1 / limit) * output
    return [gradient - gradient * share * share]
  }
}

/// `max(x, 0)^2`, elementwise (So et al. 2021), in loops of its own.
func squaredReLU(_ x: Tensor) -> Tensor {
  customOperation("squaredReLU", of: [x]) { inputs in
    Tensor(inputs[0].shape) { y in
      inputs[0].withElements { x in
        for index in x.indices where x[index] > 0 { y[index] = x[index] * x[index] }
      }
    }
  } pullback: { gradient, inputs, output in
    [2 * (gradient * activate(inputs[0], .relu))]
  }
}
