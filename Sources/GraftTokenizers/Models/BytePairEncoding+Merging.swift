import GraftRegularExpressions

extension BytePairEncoding {
  /// A token of the piece being merged, linked to its neighbours.
  struct Symbol {
    var id: Int32
    var previous: Int32
    var next: Int32
    /// The rank of the merge with the next symbol and the token it makes; no rank when there is no such merge.
    var rank: UInt32
    var merged: Int32

    static let noRank = UInt32.max
  }

  /// Appends the tokens of a piece that is not cut any further.
  func appendMerged(_ piece: UnsafeBufferPointer<UInt8>, to ids: inout [Int32], using workspace: ModelWorkspace) {
    workspace.symbols.removeAll(keepingCapacity: true)
    appendSymbols(of: piece, to: &workspace.symbols, &workspace.bytes)
    workspace.mergeQueue.removeAll()
    merge(&workspace.symbols, &workspace.mergeQueue)
    guard !workspace.symbols.isEmpty else { return }
    var index: Int32 = 0
    while index >= 0 {
      let symbol = workspace.symbols[Int(index)]
      ids.append(symbol.id)
      index = symbol.next
    }
  }

  /// One symbol per character, or per byte where characters fall back to bytes.
  private func appendSymbols(
    of piece: UnsafeBufferPointer<UInt8>, to symbols: inout [Symbol], _ buffer: inout [UInt8]
  ) {
    var pendingUnknown = false
    var position = 0
    while position < piece.count {
      let start = position
      position += scalarLength(piece[position])
      if let id = token(of: piece, start..<position, &buffer) {
        if pendingUnknown, let unknownID {
          append(unknownID, to: &symbols)
          pendingUnknown = false
        }
        append(id, to: &symbols)
        continue
      }
      // Bytes go before an unknown token that is still pending: that is what the reference does.
      if !byteTokens.isEmpty, buffer.allSatisfy({ byteTokens[Int($0)] >= 0 }) {
        for byte in buffer { append(byteTokens[Int(byte)], to: &symbols) }
        continue
      }
      if let unknownID {
        if pendingUnknown && !fusesUnknown { append(unknownID, to: &symbols) }
        pendingUnknown = true
      }
    }
    if pendingUnknown, let unknownID { append(unknownID, to: &symbols) }
  }

  /// The token of one character; when there is none `buffer` holds its bytes, prefix and suffix included.
  @inline(__always)
  private func token(of piece: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, _ buffer: inout [UInt8]) -> Int32? {
    let isPlain = continuingPrefix.isEmpty && endOfWordSuffix.isEmpty
    if isPlain, range.count == 1, asciiTokens[Int(piece[range.lowerBound])] >= 0 {
      return asciiTokens[Int(piece[range.lowerBound])]
    }
    if isPlain, range.count > 1, let id = vocabulary.id(of: UnsafeBufferPointer(rebasing: piece[range])) { return id }
    buffer.removeAll(keepingCapacity: true)
    if range.lowerBound > 0 { buffer.append(contentsOf: continuingPrefix) }
    buffer.append(contentsOf: piece[range])
    if range.upperBound == piece.count { buffer.append(contentsOf: endOfWordSuffix) }
    return isPlain ? nil : vocabulary.id(of: buffer)
  }

  @inline(__always)
  private func append(_ id: Int32, to symbols: inout [Symbol]) {
    let index = Int32(symbols.count)
    if index > 0 { symbols[Int(index) - 1].next = index }
    symbols.append(Symbol(id: id, previous: index - 1, next: -1, rank: Symbol.noRank, merged: -1))
  }

  private func merge(_ symbols: inout [Symbol], _ queue: inout MergeQueue) {
    for index in symbols.indices.dropLast() { findMerge(at: index, &symbols, &queue) }
    while let (rank, index) = queue.popFirst() {
      let symbol = symbols[index]
      guard symbol.rank == rank, symbol.next >= 0 else { continue }
      let right = Int(symbol.next)
      symbols[index].id = symbol.merged
      symbols[index].next = symbols[right].next
      symbols[right].rank = Symbol.noRank
      symbols[right].next = -1
      if symbols[index].next >= 0 { symbols[Int(symbols[index].next)].previous = Int32(index) }
      findMerge(at: index, &symbols, &queue)
      if symbol.previous >= 0 { findMerge(at: Int(symbol.previous), &symbols, &queue) }
    }
  }

  /// Looks up the merge of a symbol with the next one and queues it.
  @inline(__always)
  private func findMerge(at index: Int, _ symbols: inout [Symbol], _ queue: inout MergeQueue) {
    symbols[index].rank = Symbol.noRank
    let next = symbols[index].next
    guard next >= 0, let found = merges[Self.mergeKey(symbols[index].id, symbols[Int(next)].id)] else { return }
    let rank = UInt32(truncatingIfNeeded: found >> 32)
    symbols[index].rank = rank
    symbols[index].merged = Int32(truncatingIfNeeded: found)
    queue.insert(rank: rank, position: index)
  }
}
