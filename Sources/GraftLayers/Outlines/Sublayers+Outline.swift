import GraftTensors

extension Attention {
  /// Heads, sizes, windows and norms, with the keys and values that are kept of a token.
  public var outline: SublayerOutline {
    var outline = SublayerOutline(place == .source ? "attention to the source" : "attention")
    outline.add("heads", options.heads)
    outline.add("key_value_heads", options.keyValueHeads)
    outline.add("head_size", options.headSize)
    if options.valueSize != options.headSize { outline.add("value_size", options.valueSize) }
    if let window = options.window { outline.add("window", window) }
    if let rotary, rotary > 0 { outline.add("rotary_table", rotary) }
    if let softcap = options.softcap { outline.add("score_softcap", softcap) }
    if sinks != nil { outline.add("sinks", "one a head") }
    if let scoresGrowBeyond { outline.add("scores_grow_beyond", scoresGrowBeyond) }
    if let queryNorm { outline.add("query_and_key_norm", "\(queryNorm.kindName), \(isWhole(queryNorm) ? "all heads" : "each head")") }
    let biased = biasedLayers
    if !biased.isEmpty { outline.add("biases", biased.joined(separator: ", ")) }
    let kept = options.keyWidth + options.valueWidth
    switch place {
    case .source: outline.keptPerSourceToken = kept
    case .encoder: break
    case .alone, .decoder: (outline.keptPerToken, outline.window) = (kept, options.window)
    }
    return outline
  }

  private func isWhole(_ norm: Norm) -> Bool { norm.weight.shape[0] == options.queryWidth && options.heads > 1 }

  private var biasedLayers: [String] {
    let layers: [(String, Linear)] =
      switch projection {
      case .separate(let query, let key, let value): [("query", query), ("key", key), ("value", value)]
      case .fused(let layer), .fusedByHead(let layer): [("query, key, value", layer)]
      }
    return (layers + [("output", output)]).filter { $0.1.bias != nil }.map(\.0)
  }
}

extension LatentAttention {
  /// Heads and sizes, with the latent row and the rotary key that are kept of a token.
  public var outline: SublayerOutline {
    var outline = SublayerOutline("latent attention")
    outline.add("heads", options.heads)
    outline.add("head_size", options.headSize)
    outline.add("rotated_size", rotarySize)
    outline.add("value_size", options.valueSize)
    if case .compressed(let down, _, _) = query { outline.add("query_latent_size", down.outputSize) }
    outline.add("latent_size", expansion.inputSize)
    outline.keptPerToken = expansion.inputSize + rotarySize
    return outline
  }
}

extension FeedForward {
  /// The intermediate size and the activation.
  public var outline: SublayerOutline {
    var outline = SublayerOutline("feed-forward")
    outline.add("intermediate_size", down.inputSize)
    let isGated = if case .plain = projection { false } else { true }
    outline.add("activation", activation.name + (isGated ? ", gated" : ""))
    return outline
  }
}

extension MixtureOfExperts {
  /// The number of experts, of those that a token uses and that all use, and their router.
  public var outline: SublayerOutline {
    var outline = SublayerOutline("mixture of experts")
    let (count, used) = (router.expertCount, router.options.choices)
    outline.add("experts", count)
    outline.add("experts_used", used)
    outline.add("expert_size", lowering.inputSize)
    if let shared {
      outline.add("shared_expert_size", shared.down.inputSize)
      if sharedGate != nil { outline.add("shared_expert_gate", "sigmoid") }
    }
    if let groups = router.options.groups { outline.add("groups", "\(groups.chosen) of \(groups.count)") }
    outline.add("router", router.options.scores.name + (router.options.normalization == nil ? "" : ", normalized"))
    switch middle {
    case .gated(let activation): outline.add("activation", activation.name + ", gated")
    case .clamped: outline.add("activation", "silu, gated and clamped")
    }
    outline.experts = SublayerOutline.Experts(parameters: raising.parameterCount + lowering.parameterCount, count: count, used: used)
    return outline
  }
}

extension Router.Options.Scores {
  fileprivate var name: String {
    switch self {
    case .softmax: "softmax"
    case .sigmoid: "sigmoid"
    case .logits: "softmax of the chosen"
    }
  }
}

extension ExpertProjection {
  /// The parameters of all experts.
  fileprivate var parameterCount: Int {
    func count(_ parameter: Parameter?) -> Int { parameter?.shape.elementCount ?? 0 }
    return switch weights {
    case .layers(let parts): parts.joined().reduce(0) { $0 + count($1.weight) + count($1.bias) }
    case .fused(let matrices, let bias, _): count(matrices) + count(bias)
    }
  }
}

extension MambaMixer {
  /// Channels and sizes, with the rows of the convolution and the states that are kept of a sequence.
  public var outline: SublayerOutline {
    var outline = SublayerOutline("selective state space")
    let (channels, size) = (layers.rates.shape[0], layers.rates.shape[1])
    outline.add("channels", channels)
    outline.add("state_size", size)
    outline.add("kernel_size", layers.kernel.shape.columns)
    outline.add("step_rank", layers.step.inputSize)
    outline.add("activation", activation.name)
    outline.keptPerSequence = channels * (layers.kernel.shape.columns - 1 + size)
    return outline
  }
}

extension StructuredMixer {
  public var outline: SublayerOutline {
    var outline = SublayerOutline("structured state space")
    let (channels, heads) = (layers.output.inputSize, layers.rates.shape.elementCount)
    outline.add("heads", heads)
    outline.add("head_size", channels / heads)
    outline.add("groups", options.groups)
    outline.add("state_size", recurrence.startSize / channels)
    outline.add("kernel_size", layers.kernel.shape.columns)
    outline.add("activation", activation.name)
    outline.keptPerSequence = layers.kernel.shape[0] * (layers.kernel.shape.columns - 1) + recurrence.startSize
    return outline
  }
}

extension DeltaTimeMixing {
  public var outline: SublayerOutline {
    var outline = SublayerOutline("time mixing by a delta rule")
    outline.add("heads", vectors.bonus.shape[0])
    outline.add("head_size", vectors.bonus.shape[1])
    // The row before, and a matrix of every head.
    outline.keptPerSequence = layers.key.inputSize + recurrence.startSize
    return outline
  }
}

extension MatrixTimeMixing {
  /// Heads and their size, with the row before and the matrices that are kept of a sequence.
  public var outline: SublayerOutline {
    var outline = SublayerOutline("time mixing by matrices")
    outline.add("heads", vectors.bonus.shape[0])
    outline.add("head_size", vectors.bonus.shape[1])
    if case .dynamic(let shift) = shift { outline.add("shift_rank", shift.up.shape[1]) }
    outline.keptPerSequence = layers.key.inputSize + recurrence.startSize
    return outline
  }
}

extension TimeMixing {
  /// Channels, with the row before and the sums that are kept of a sequence.
  public var outline: SublayerOutline {
    var outline = SublayerOutline("time mixing")
    outline.add("channels", layers.key.outputSize)
    // The row before, and of every channel the sums above and below, and the largest exponent.
    outline.keptPerSequence = layers.key.inputSize + 3 * layers.key.outputSize
    return outline
  }
}

extension ChannelMixing {
  /// The intermediate size, with the row before that is kept of a sequence.
  public var outline: SublayerOutline {
    var outline = SublayerOutline("channel mixing")
    outline.add("intermediate_size", key.layer.outputSize)
    outline.keptPerSequence = key.layer.inputSize
    return outline
  }
}
