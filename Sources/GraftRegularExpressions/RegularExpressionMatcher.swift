/// Runs a program over UTF-8 by backtracking, as Oniguruma and Perl define their patterns.
///
/// On a text that makes it go back often, it remembers the choices that have led nowhere and tries none of them again: `(a+)+$` and its
/// like then take a time in proportion to the text (Davis et al. 2021, "Using selective memoization to defeat regular expression
/// denial of service"). Patterns here have no groups to refer back to, so that where a choice leads depends on its place alone.
struct RegularExpressionMatcher {
  private struct Frame {
    enum Kind: UInt8 {
      /// Goes on at `target` from `position`.
      case resume
      /// Tries the branches from number `limit` on.
      case branches
      /// Gives back one scalar of a run, down to `limit`.
      case shorterRun
      /// Takes one scalar more into a run, `limit` more at most.
      case longerRun
      /// Restores register `limit`.
      case register
      /// Everything that instruction `target` can do at `position` has been tried in vain.
      case failure
    }

    var kind: Kind
    var target: Int32
    var position: Int
    var limit: Int
  }

  private let text: UnsafeBufferPointer<UInt8>
  private let code: UnsafeBufferPointer<RegularExpressionProgram.Instruction>
  private let sets: UnsafeBufferPointer<RegularExpressionProgram.CompiledSet>
  private let ranges: UnsafeBufferPointer<ClosedRange<UInt32>>
  private let branches: UnsafeBufferPointer<RegularExpressionProgram.Branch>
  private var stack: [Frame] = []
  private var registers: [Int]
  /// The number of times it went back since the last match.
  private var returns = 0
  private var failures: FailureMemory?

  /// More returns than patterns of tokenizers make for one match.
  private static let manyReturns = 10_000

  /// Lends `body` a matcher for `text`.
  static func with<Result>(
    _ program: RegularExpressionProgram, on text: UnsafeBufferPointer<UInt8>,
    _ body: (inout RegularExpressionMatcher) -> Result
  ) -> Result {
    program.instructions.withUnsafeBufferPointer { code in
      program.sets.withUnsafeBufferPointer { sets in
        program.ranges.withUnsafeBufferPointer { ranges in
          program.branches.withUnsafeBufferPointer { branches in
            var matcher = RegularExpressionMatcher(
              text: text, code: code, sets: sets, ranges: ranges, branches: branches,
              registers: Array(repeating: -1, count: program.registerCount))
            return body(&matcher)
          }
        }
      }
    }
  }

  /// Returns the end of a match that starts at `start`; nil where there is none.
  mutating func matchEnd(from start: Int) -> Int? {
    stack.removeAll(keepingCapacity: true)
    guard let end = run(0, start) else { return nil }
    returns = 0
    return end
  }

  private mutating func run(_ entry: Int32, _ start: Int) -> Int? {
    let base = stack.count
    var next = Int(entry)
    var position = start
    while true {
      let instruction = code[next]
      var matches = true
      switch instruction.operation {
      case .scalar:
        matches = consume(instruction.a, &position)
        next += 1
      case .run:
        matches = mayLead(next, position) && runSet(instruction, at: next, &position)
        next += 1
      case .split:
        guard mayLead(next, position) else {
          matches = false
          break
        }
        stack.append(Frame(kind: .resume, target: instruction.b, position: position, limit: 0))
        next = Int(instruction.a)
      case .branches:
        matches = mayLead(next, position) && takeBranch(instruction, from: 0, position, at: &next)
      case .jump:
        next = Int(instruction.a)
      case .atomic:
        if let end = runBody(after: next, position) { position = end } else { matches = false }
        next = Int(instruction.a)
      case .lookAhead:
        matches = (runBody(after: next, position) != nil) == (instruction.b == 0)
        next = Int(instruction.a)
      case .lookBehind:
        let found = stepBack(Int(instruction.c), from: position).map { runBody(after: next, $0) == position } ?? false
        matches = found == (instruction.b == 0)
        next = Int(instruction.a)
      case .assertion:
        matches = holds(instruction.a, at: position)
        next += 1
      case .note:
        let register = Int(instruction.a)
        stack.append(Frame(kind: .register, target: 0, position: registers[register], limit: register))
        registers[register] = position
        next += 1
      case .leaveIfStuck:
        next = registers[Int(instruction.a)] == position ? Int(instruction.b) : next + 1
      case .end:
        return position
      }
      if !matches, !backtrack(to: base, &next, &position) { return nil }
    }
  }

  /// Runs the body of a group by itself and forgets its choices.
  private mutating func runBody(after instruction: Int, _ position: Int) -> Int? {
    let base = stack.count
    let end = run(Int32(instruction + 1), position)
    stack.removeSubrange(base...)
    return end
  }

  /// Returns true for a choice that has not yet been tried in vain; its failure will be remembered.
  @inline(__always)
  private mutating func mayLead(_ instruction: Int, _ position: Int) -> Bool {
    failures == nil ? true : mayLeadByMemory(instruction, position)
  }

  @inline(never)
  private mutating func mayLeadByMemory(_ instruction: Int, _ position: Int) -> Bool {
    guard let failures, !failures.contains(instruction, position, registers) else { return false }
    stack.append(Frame(kind: .failure, target: Int32(instruction), position: position, limit: 0))
    return true
  }

  @inline(never)
  private mutating func remember(_ frame: Frame) {
    let place = Int(frame.target)
    let instruction = code[place]
    failures?.insert(place, frame.position, registers)
    guard instruction.operation == .run, instruction.c == Int32(RegularExpressionSyntax.unlimited) else { return }
    var position = frame.position
    var needed = max(1, Int(instruction.b))
    while needed > 0 {
      guard consume(instruction.a, &position) else { return }
      needed -= 1
    }
    let first = position
    while failures?.end(of: place, at: position) == nil, consume(instruction.a, &position) {}
    let last = failures?.end(of: place, at: position) ?? position
    failures?.note(first...last, of: place)
  }

  /// Goes back to the last choice above `base`; `false` when there is none left.
  @inline(__always)
  private mutating func backtrack(to base: Int, _ next: inout Int, _ position: inout Int) -> Bool {
    returns &+= 1
    if returns == Self.manyReturns, failures == nil { failures = FailureMemory() }
    while stack.count > base {
      let top = stack.count - 1
      let frame = stack[top]
      switch frame.kind {
      case .resume:
        stack.removeLast()
        next = Int(frame.target)
        position = frame.position
        return true
      case .branches:
        stack.removeLast()
        position = frame.position
        next = Int(frame.target)
        if takeBranch(code[next], from: frame.limit, position, at: &next) { return true }
      case .shorterRun:
        position = frame.position - 1
        while text[position] & 0xC0 == 0x80 { position -= 1 }
        if position > frame.limit { stack[top].position = position } else { stack.removeLast() }
        next = Int(frame.target)
        return true
      case .longerRun:
        stack.removeLast()
        position = frame.position
        let instruction = code[Int(frame.target)]
        guard consume(instruction.a, &position), failures?.end(of: Int(frame.target), at: position) == nil else { continue }
        if frame.limit > 1 {
          stack.append(Frame(kind: .longerRun, target: frame.target, position: position, limit: frame.limit - 1))
        }
        next = Int(frame.target) + 1
        return true
      case .register:
        stack.removeLast()
        registers[frame.limit] = frame.position
      case .failure:
        stack.removeLast()
        remember(frame)
      }
    }
    return false
  }

  /// Takes the first branch from number `first` on that can start here.
  @inline(__always)
  private mutating func takeBranch(
    _ instruction: RegularExpressionProgram.Instruction, from first: Int, _ position: Int, at next: inout Int
  ) -> Bool {
    let count = Int(instruction.b)
    let origin = next
    var index = first
    var taken = -1
    while index < count {
      let branch = branches[Int(instruction.a) + index]
      if position < text.count ? branch.starts.contains(text[position]) : branch.starts.isAll {
        if taken < 0 {
          taken = Int(branch.target)
        } else {
          stack.append(Frame(kind: .branches, target: Int32(origin), position: position, limit: index))
          break
        }
      }
      index += 1
    }
    if taken >= 0 { next = taken }
    return taken >= 0
  }

  @inline(__always)
  private mutating func runSet(
    _ instruction: RegularExpressionProgram.Instruction, at index: Int, _ position: inout Int
  ) -> Bool {
    var remaining = Int(instruction.c)
    var needed = Int(instruction.b)
    while needed > 0 {
      guard consume(instruction.a, &position) else { return false }
      needed -= 1
      remaining -= 1
    }
    if instruction.kind == .lazy {
      if remaining > 0 {
        stack.append(Frame(kind: .longerRun, target: Int32(index), position: position, limit: remaining))
      }
      return true
    }
    let shortest = position
    if let failures, instruction.kind == .greedy, instruction.c == Int32(RegularExpressionSyntax.unlimited) {
      // Ends that have been tried in vain are not offered again; to take nothing is another matter.
      var last = instruction.b == 0 ? position : -1
      if instruction.b > 0 || consume(instruction.a, &position) {
        while failures.end(of: index, at: position) == nil {
          last = position
          guard consume(instruction.a, &position) else { break }
        }
      }
      guard last >= 0 else { return false }
      position = last
    } else {
      while remaining > 0, consume(instruction.a, &position) { remaining -= 1 }
    }
    if instruction.kind == .greedy && position > shortest {
      stack.append(Frame(kind: .shorterRun, target: Int32(index + 1), position: position, limit: shortest))
    }
    return true
  }

  /// Steps over a scalar of the set, if one is here.
  @inline(__always)
  private func consume(_ set: Int32, _ position: inout Int) -> Bool {
    guard position < text.count else { return false }
    let byte = text[position]
    if byte < 0x80 {
      let compiled = sets[Int(set)]
      let word = byte < 64 ? compiled.low : compiled.high
      guard word >> UInt64(byte & 63) & 1 != 0 else { return false }
      position += 1
      return true
    }
    let (scalar, length) = decodeScalar(text, at: position)
    guard contains(set, scalar) else { return false }
    position += length
    return true
  }

  private func contains(_ index: Int32, _ scalar: UInt32) -> Bool {
    let set = sets[Int(index)]
    if set.categories != 0, ScalarClass.category(scalar) & set.categories != 0 { return !set.isNegated }
    var low = Int(set.firstRange)
    var high = low + Int(set.rangeCount)
    if set.rangeCount <= 8 {
      while low < high {
        if ranges[low].contains(scalar) { return !set.isNegated }
        low += 1
      }
      return set.isNegated
    }
    while low < high {
      let middle = (low + high) / 2
      if ranges[middle].upperBound < scalar { low = middle + 1 } else { high = middle }
    }
    let isMember = low < Int(set.firstRange) + Int(set.rangeCount) && ranges[low].contains(scalar)
    return isMember != set.isNegated
  }

  private func stepBack(_ count: Int, from position: Int) -> Int? {
    var position = position
    for _ in 0..<count {
      guard position > 0 else { return nil }
      repeat { position -= 1 } while text[position] & 0xC0 == 0x80
    }
    return position
  }

  private func holds(_ assertion: Int32, at position: Int) -> Bool {
    switch RegularExpressionSyntax.Assertion(rawValue: assertion) {
    case .textStart: position == 0
    case .textEnd: position == text.count
    case .textEndOrLastNewline: position == text.count || (position == text.count - 1 && text[position] == 0x0A)
    case .lineStart: position == 0 || (text[position - 1] == 0x0A && position < text.count)
    case .lineEnd: position == text.count || text[position] == 0x0A
    case .wordBoundary: isWordBoundary(position)
    case .noWordBoundary: !isWordBoundary(position)
    case nil: false
    }
  }

  private func isWordBoundary(_ position: Int) -> Bool {
    let before = position > 0 && ScalarSet.loneWord.contains(text.scalar(before: position))
    let after = position < text.count && ScalarSet.loneWord.contains(decodeScalar(text, at: position).scalar)
    return before != after
  }
}
