import GraftBatching

/// Texts as exercises for an encoder-decoder (Raffel et al. 2020, section 3.1.4 and figure 2).
extension ExampleEncoder {
  /// The windows of a text, each with spans taken out: the source has a sentinel in place of every span, the target every
  /// span behind its sentinel, and one more sentinel.
  ///
  /// - Parameter index: the record's number, on which the spans depend together with the seed.
  /// - Throws: `DatasetError` where the tokenizer has no sentinels.
  func spanCorrupted(_ record: DataRecord, index: Int) throws -> [EncodedExample] {
    guard sentinels.count > 1 else {
      throw record.error(
        "the tokenizer has no sentinels <extra_id_0>, <extra_id_1>, ...", "use T5's tokenizer or another that has them, or give source and target")
    }
    let (prefix, suffix) = specialTokensAround()
    let ids = tokenizer.ids(try record.text("text"), special: false)
    let size = maxLength.map { max(2, $0 - prefix.count - suffix.count) } ?? max(1, ids.count)
    return stride(from: 0, to: ids.count, by: size).enumerated().map { window, start in
      var random = CounterRandom(seed: maskingSeed, stream: 0x7370_616E, UInt64(index), UInt64(window))
      return corrupted(ids[start..<min(start + size, ids.count)], &random)
    }
  }

  /// A window with spans taken out of it; one of a single token has nothing to take out and carries no loss.
  private func corrupted(_ ids: ArraySlice<Int32>, _ random: inout CounterRandom) -> EncodedExample {
    let sentinels = self.sentinels
    let (prefix, suffix) = specialTokensAround()
    let part = Array(ids)
    let spans = corruption.spans(of: part.count, limit: sentinels.count - 1, &random)
    var source: [Int32] = []
    var target: [Int32] = []
    var at = 0
    for (span, sentinel) in zip(spans, sentinels) {
      source += part[at..<span.lowerBound] + [sentinel]
      target += [sentinel] + part[span]
      at = span.upperBound
    }
    source += part[at...]
    if !spans.isEmpty { target.append(sentinels[spans.count]) }
    let isScored = Array(repeating: !spans.isEmpty, count: prefix.count + target.count + suffix.count)
    return EncodedExample(tokens: prefix + target + suffix, isScored: isScored, source: prefix + source + suffix)
  }

  /// The same window with other spans taken out of it, drawn from the example's number and the epoch.
  func corruptedAgain(_ example: EncodedExample, index: Int, epoch: Int) -> EncodedExample {
    let (prefix, suffix) = specialTokensAround()
    let sentinels = Set(self.sentinels)
    func inner(_ ids: [Int32]) -> ArraySlice<Int32> { ids.dropFirst(prefix.count).dropLast(suffix.count) }
    var spans: [Int32: [Int32]] = [:]
    var sentinel: Int32?
    for id in inner(example.tokens) {
      if sentinels.contains(id) { sentinel = id } else if let sentinel { spans[sentinel, default: []].append(id) }
    }
    let ids = inner(example.source ?? []).flatMap { spans[$0] ?? [$0] }
    var random = CounterRandom(seed: maskingSeed, stream: 0x7370_616E, UInt64(index), UInt64(epoch), 1)
    return corrupted(ids[...], &random)
  }

  /// The ids of `<extra_id_0>`, `<extra_id_1>` and so on, as far as they go.
  private var sentinels: [Int32] {
    var ids: [Int32] = []
    while let id = tokenizer.id(for: "<extra_id_\(ids.count)>") { ids.append(id) }
    return ids
  }
}
