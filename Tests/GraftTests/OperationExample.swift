import Graft

/// `cap tanh(x / cap)`, elementwise: scores that stay between `-cap` and `cap` (Bello et al. 2016, section 4).
func softcap(_ x: Tensor, cap: Float) -> Tensor {
  customOperation("softcap", of: [x]) { inputs in
    cap * activate((1 / cap) * inputs[0], .tanh)
  } pullback: { gradient, inputs, output in
    // The slope is 1 - (y / cap)^2.
    let share = (1 / cap) * output
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
