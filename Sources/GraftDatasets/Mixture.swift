import GraftBatching

/// The number of times that an epoch draws the examples of each of several files.
public struct Mixture: Sendable, Equatable {
  /// The factors by the files' paths; files that are not listed count once.
  public var weights: [String: Double]

  /// - Parameter weights: by the path of the file.
  public init(weights: [String: Double]) { self.weights = weights }

  /// The numbers of the examples that make an epoch, in passes over them: a weight of 2.5 has all examples of its file twice
  /// and half of them, the same for the same seed, a third time. A file has one example at least.
  ///
  /// - Parameter files: the file of each example.
  public func indices(of files: [String], seed: UInt64) -> [Int] {
    var members: [String: [Int]] = [:]
    var order: [String] = []
    for (index, file) in files.enumerated() {
      if members[file] == nil { order.append(file) }
      members[file, default: []].append(index)
    }
    var passes = Array(repeating: 0, count: files.count)
    for (number, file) in order.enumerated() {
      let examples = members[file] ?? []
      let weight = weights[file] ?? 1
      let whole = Int(weight)
      let extra = Int(((weight - Double(whole)) * Double(examples.count)).rounded())
      for index in examples { passes[index] = whole }
      var random = CounterRandom(seed: seed, stream: 0x6D69_78, UInt64(number))
      for place in random.permutation(of: examples.count).prefix(whole == 0 ? max(extra, 1) : extra) { passes[examples[Int(place)]] += 1 }
    }
    return (0..<(passes.max() ?? 0)).flatMap { pass in passes.indices.filter { passes[$0] > pass } }
  }
}

extension Mixture {
  /// The examples of an epoch.
  /// - Parameter records: the records that the examples come of.
  /// - Throws: what reading a file of tokens throws.
  public func drawn(from data: TrainingExamples, of records: RecordList, seed: UInt64, notes: DataNotes) throws -> TrainingExamples {
    let files = try (0..<data.count).map { records.file(of: try data.record($0)) }
    let drawn = indices(of: files, seed: seed)
    let counts = { (files: [String]) in files.reduce(into: [String: Int]()) { $0[$1, default: 0] += 1 } }
    let (there, taken) = (counts(files), counts(drawn.map { files[$0] }))
    for file in there.keys.sorted() { notes.say("an epoch draws \(taken[file] ?? 0) times from \(there[file] ?? 0) examples", of: file) }
    return data.choosing(drawn)
  }
}
