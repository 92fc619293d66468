/// The 256 numbers between -1 and 1 that bitsandbytes' codes of 8 bits name: a sign, an exponent of ten in unary notation, and a linear
/// fraction in the bits that are left (Dettmers 2016, "8-Bit Approximations for Parallelism in Deep Learning", section 2.2).
package enum DynamicCode {
  /// The numbers by their codes, in their order.
  package static let numbers: [Float] = {
    var numbers: [Float] = [0, 1]
    for exponent in 0..<7 {
      let count = 1 << exponent
      let bounds = linearlySpaced(count + 1)
      let power = decimalPowers[exponent]
      for (low, high) in zip(bounds, bounds.dropFirst()) {
        let mean = (low + high) / 2
        numbers += [power * mean, -power * mean]
      }
    }
    return numbers.sorted()
  }()

  private static let decimalPowers: [Float] = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1]

  /// Evenly spaced numbers from 0.1 to 1, each computed from the nearer end and rounded once, as torch's `linspace` does.
  private static func linearlySpaced(_ count: Int) -> [Float] {
    let step: Float = (1 - 0.1) / Float(count - 1)
    return (0..<count).map { index in
      index < count / 2 ? Float(0.1).addingProduct(step, Float(index)) : Float(1).addingProduct(-step, Float(count - 1 - index))
    }
  }

  /// The codes nearest to 65536 evenly spaced numbers from -1 to 1. Numbers are rounded to one of them before they are looked up.
  private static let table: [UInt8] = {
    let bounds = zip(numbers, numbers.dropFirst()).map { ($0 + $1) / 2 }
    var code = 0
    return (0..<1 << 16).map { index in
      let x = Float(2 * Double(index) / 65535 - 1)
      while code < bounds.count && bounds[code] < x { code += 1 }
      return UInt8(code)
    }
  }()

  /// Codes of `values` in groups of `group`, and the largest magnitude of each group, whose fractions the codes' numbers are.
  package static func encode(_ values: [Float], group: Int) -> (codes: [UInt8], factors: [Float]) {
    var factors: [Float] = []
    let codes = [UInt8](unsafeUninitializedCapacity: values.count) { codes, count in
      values.withUnsafeBufferPointer { values in
        for start in stride(from: 0, to: values.count, by: group) {
          let part = UnsafeBufferPointer(rebasing: values[start..<min(values.count, start + group)])
          if let to = codes.baseAddress { factors.append(encode(part, to: to + start)) }
        }
      }
      count = values.count
    }
    return (codes, factors)
  }

  /// Writes the codes of one group.
  /// - Returns: its largest magnitude; zero where that has no inverse.
  static func encode(_ values: UnsafeBufferPointer<Float>, to codes: UnsafeMutablePointer<UInt8>) -> Float {
    let largest = values.reduce(0) { max($0, $1.magnitude) }
    let inverse = 1 / largest
    // Zeros, and what is too small to have an inverse.
    guard inverse.isFinite else {
      codes.update(repeating: 0, count: values.count)
      return 0
    }
    table.withUnsafeBufferPointer { table in
      for index in values.indices { codes[index] = table[Int((values[index] * inverse + 1) * 32767.5 + 0.5)] }
    }
    return largest
  }
}
