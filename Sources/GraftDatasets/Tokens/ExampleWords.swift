import GraftBatching

/// An example as 32-bit words: what a token file keeps of it.
///
/// Tokens come first, then what else the example has, as the bits of the first word say; scored tokens as the lengths of runs, not scored first.
enum ExampleWords {
  private static let weights: UInt32 = 1, types: UInt32 = 2, labels: UInt32 = 4, source: UInt32 = 8, prompt: UInt32 = 16
  private static let classLabel: UInt32 = 32, classesLabel: UInt32 = 64, valueLabel: UInt32 = 128, valuesLabel: UInt32 = 256, contrast: UInt32 = 512

  static func encode(_ example: EncodedExample) -> [UInt32] {
    var words: [UInt32] = [0, UInt32(example.tokens.count)]
    words += example.tokens.map(UInt32.init(bitPattern:))
    let runs = runs(of: example.isScored)
    words += [UInt32(runs.count)] + runs
    func add(_ flag: UInt32, _ part: [UInt32]?) {
      guard let part else { return }
      words[0] |= flag
      words += part
    }
    func counted(_ part: [UInt32]) -> [UInt32] { [UInt32(part.count)] + part }
    add(weights, example.lossWeights?.map(\.bitPattern))
    add(types, example.typeIDs?.map(UInt32.init(bitPattern:)))
    add(labels, example.tokenLabels?.map(UInt32.init(bitPattern:)))
    add(source, (example.source?.map(UInt32.init(bitPattern:))).map(counted))
    add(prompt, example.promptLength.map { [UInt32($0)] })
    switch example.label {
    case .class(let index): add(classLabel, [UInt32(bitPattern: Int32(index))])
    case .classes(let indices): add(classesLabel, counted(indices.sorted().map { UInt32(bitPattern: Int32($0)) }))
    case .value(let value): add(valueLabel, [value.bitPattern])
    case .values(let values): add(valuesLabel, counted(values.map(\.bitPattern)))
    case nil: break
    }
    add(contrast, example.contrast.map(encode).map(counted))
    return words
  }

  private static func runs(of flags: [Bool]) -> [UInt32] {
    var runs: [UInt32] = [0]
    var current = false
    for flag in flags {
      if flag != current {
        runs.append(0)
        current = flag
      }
      runs[runs.count - 1] += 1
    }
    return runs
  }

  /// The example of words; nil for words that are none.
  static func decode(_ words: [UInt32]) -> EncodedExample? {
    var rest = words[...]
    func take(_ count: Int) -> [UInt32]? {
      guard count <= rest.count else { return nil }
      defer { rest = rest.dropFirst(count) }
      return Array(rest.prefix(count))
    }
    func counted() -> [UInt32]? { take(1).flatMap { take(Int($0[0])) } }
    func signed(_ words: [UInt32]) -> [Int32] { words.map(Int32.init(bitPattern:)) }
    func floats(_ words: [UInt32]) -> [Float] { words.map(Float.init(bitPattern:)) }
    guard let flags = take(1)?[0], let tokens = counted(), let runs = counted() else { return nil }
    guard runs.reduce(0, { $0 + Int($1) }) == tokens.count else { return nil }
    let isScored = runs.enumerated().flatMap { index, count in repeatElement(index % 2 == 1, count: Int(count)) }
    var example = EncodedExample(tokens: signed(tokens), isScored: isScored)
    func read<Value>(_ flag: UInt32, _ value: () -> Value?, _ store: (Value) -> Void) -> Bool {
      guard flags & flag != 0 else { return true }
      guard let value = value() else { return false }
      store(value)
      return true
    }
    let isWhole =
      read(weights, { take(tokens.count).map(floats) }, { example.lossWeights = $0 })
      && read(types, { take(tokens.count).map(signed) }, { example.typeIDs = $0 })
      && read(labels, { take(tokens.count).map(signed) }, { example.tokenLabels = $0 })
      && read(source, { counted().map(signed) }, { example.source = $0 })
      && read(prompt, { take(1) }, { example.promptLength = Int($0[0]) })
      && read(classLabel, { take(1) }, { example.label = .class(Int(Int32(bitPattern: $0[0]))) })
      && read(classesLabel, counted, { example.label = .classes(Set(signed($0).map(Int.init))) })
      && read(valueLabel, { take(1) }, { example.label = .value(Float(bitPattern: $0[0])) })
      && read(valuesLabel, counted, { example.label = .values(floats($0)) })
      && read(contrast, { counted().flatMap(decode) }, { example.contrast = $0 })
    return isWhole && rest.isEmpty ? example : nil
  }
}
