import GraftJSON

extension GGUFKeys {
  /// The members of a `config.json` that say how positions are rotated.
  /// - Parameter headSize: the columns of a head.
  /// - Throws: `ArchitectureError` for a way of stretching positions that is not known, and for factors that are none of Llama 3's.
  func rotary(headSize: Int) throws -> [(String, JSON)] {
    var members: [(String, JSON)] = [("rope_theta", try number("rope.freq_base", default: 10_000.0))]
    let rotated = try count("rope.dimension_count", default: headSize)
    if rotated != headSize, headSize > 0 { members.append(("partial_rotary_factor", .number(Double(Self.share(of: rotated, in: headSize))))) }
    if let scaling = try scaling(rotated: rotated) { members.append(("rope_scaling", scaling)) }
    return members
  }

  /// The share of a head which gives the columns that are rotated when a float32 is multiplied by it and cut.
  private static func share(of rotated: Int, in headSize: Int) -> Float {
    let share = Float(rotated) / Float(headSize)
    return Int(share * Float(headSize)) == rotated ? share : share.nextUp
  }

  private func scaling(rotated: Int) throws -> JSON? {
    if let factors = try vector("rope_freqs.weight") { return try llama3(factors, rotated: rotated) }
    switch text("rope.scaling.type") {
    case nil, "none", "longrope": return nil
    case "linear": return ["rope_type": "linear", "factor": try number("rope.scaling.factor")]
    case "yarn":
      return [
        "rope_type": "yarn", "factor": try number("rope.scaling.factor"),
        "original_max_position_embeddings": .integer(try count("rope.scaling.original_context_length")),
      ]
    case let type?: throw fail("rope.scaling.type", "unknown way '\(type)' to stretch positions; take the model's original checkpoint")
    }
  }

  /// Llama 3's scaling: its factor, and the length of pretraining that gives the file's divisors with the two bounds that all of its models
  /// have (Llama Team 2024).
  private func llama3(_ factors: [Float], rotated: Int) throws -> JSON {
    let base = (try number("rope.freq_base", default: 10_000.0)).double ?? 10_000
    // The divisors are quotients, a little beside the number that was written.
    let largest = ((factors.max() ?? 1) * 1000).rounded() / 1000
    for power in 1..<24 {
      let settings: JSON = [
        "rope_type": "llama3", "factor": .number(Double("\(largest)") ?? 1), "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": .integer(1 << power),
      ]
      let config = ArchitectureConfiguration(["rope_theta": .number(base), "rope_scaling": settings], source: file.path)
      let found = try config.rotaryFrequencies(headSize: rotated).ggufFactors ?? []
      if found.count == factors.count, zip(found, factors).allSatisfy({ abs($0 - $1) <= 1e-5 * abs($1) }) { return settings }
    }
    throw ArchitectureError("\(file.path): rope_freqs.weight: the factors are none of Llama 3's; take the model's original checkpoint")
  }
}
