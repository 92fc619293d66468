/// A regular expression as instructions for `RegularExpressionMatcher`.
struct RegularExpressionProgram: Sendable {
  struct Instruction: Sendable {
    enum Operation: UInt8, Sendable {
      /// Consumes one scalar of set `a`.
      case scalar
      /// Consumes `b` to `c` scalars of set `a`; `kind` says how eagerly.
      case run
      /// Tries `a`, then `b`.
      case split
      /// Tries branches `a` to `a + b`, in order.
      case branches
      case jump
      /// Matches the body behind it once and for all, then goes to `a`.
      case atomic
      /// Matches the body behind it without consuming it, then goes to `a`; fails if it matches when `b` is 1.
      case lookAhead
      /// As `lookAhead`, for a body of `c` scalars that ends here.
      case lookBehind
      case assertion
      /// Notes the position in register `a`.
      case note
      /// Goes to `b` if nothing was consumed since register `a` was noted.
      case leaveIfStuck
      case end
    }

    var operation: Operation
    var kind = RegularExpressionSyntax.RepetitionKind.greedy
    var a: Int32 = 0
    var b: Int32 = 0
    var c: Int32 = 0
  }

  /// A set of scalars, ready for testing: a bit map for ASCII, categories and ranges beyond.
  struct CompiledSet: Sendable {
    var low: UInt64 = 0
    var high: UInt64 = 0
    var categories: ScalarClass.Categories
    var firstRange: Int32
    var rangeCount: Int32
    var isNegated: Bool
  }

  /// One alternative, and the bytes a match of it can start with.
  struct Branch: Sendable {
    var target: Int32
    var starts: ByteSet
  }

  var instructions: [Instruction] = []
  var sets: [CompiledSet] = []
  var ranges: [ClosedRange<UInt32>] = []
  var branches: [Branch] = []
  var registerCount = 0
  /// The bytes that a match can start with.
  var starts = ByteSet.all

  private static let longest = 50_000

  init(_ syntax: RegularExpressionSyntax) throws(RegularExpressionError) {
    try compile(syntax)
    emit(.end)
    starts = self.startBytes(of: syntax)
  }

  @discardableResult
  private mutating func emit(
    _ operation: Instruction.Operation, _ a: Int32 = 0, _ b: Int32 = 0, _ c: Int32 = 0
  ) -> Int {
    instructions.append(Instruction(operation: operation, a: a, b: b, c: c))
    return instructions.count - 1
  }

  private var next: Int32 { Int32(instructions.count) }

  private mutating func compile(_ syntax: RegularExpressionSyntax) throws(RegularExpressionError) {
    guard instructions.count < Self.longest else {
      throw RegularExpressionError(description: "the pattern is too long")
    }
    switch syntax {
    case .empty: break
    case .scalar(let set): emit(.scalar, index(of: set))
    case .sequence(let parts): for part in parts { try compile(part) }
    case .alternatives(let parts): try compileAlternatives(parts)
    case .repetition(let body, let minimum, let maximum, let kind):
      try compileRepetition(body, minimum, maximum, kind)
    case .atomic(let body): try compileBody(.atomic, body)
    case .lookAhead(let body, let negative): try compileBody(.lookAhead, body, negative ? 1 : 0)
    case .lookBehind(let body, let negative): try compileLookBehind(body, negative)
    case .assertion(let assertion): emit(.assertion, assertion.rawValue)
    }
  }

  private mutating func compileAlternatives(_ parts: [RegularExpressionSyntax]) throws(RegularExpressionError) {
    let first = branches.count
    for part in parts { branches.append(Branch(target: 0, starts: startBytes(of: part))) }
    emit(.branches, Int32(first), Int32(parts.count))
    var jumps: [Int] = []
    for (offset, part) in parts.enumerated() {
      branches[first + offset].target = next
      try compile(part)
      jumps.append(emit(.jump))
    }
    for jump in jumps { instructions[jump].a = next }
  }

  private mutating func compileBody(
    _ operation: Instruction.Operation, _ body: RegularExpressionSyntax, _ b: Int32 = 0, _ c: Int32 = 0
  ) throws(RegularExpressionError) {
    let start = emit(operation, 0, b, c)
    try compile(body)
    emit(.end)
    instructions[start].a = next
  }

  private mutating func compileLookBehind(
    _ body: RegularExpressionSyntax, _ negative: Bool
  ) throws(RegularExpressionError) {
    if let length = body.length {
      try compileBody(.lookBehind, body, negative ? 1 : 0, Int32(length))
    } else if case .alternatives(let parts) = body {
      // (?<=a|bb) is (?<=a)|(?<=bb), (?<!a|bb) is (?<!a)(?<!bb).
      let bodies = parts.map { RegularExpressionSyntax.lookBehind($0, negative: negative) }
      try compile(negative ? .sequence(bodies) : .alternatives(bodies))
    } else {
      throw RegularExpressionError(description: "a look-behind of varying length is not supported")
    }
  }

  private mutating func compileRepetition(
    _ body: RegularExpressionSyntax, _ minimum: Int, _ maximum: Int, _ kind: RegularExpressionSyntax.RepetitionKind
  ) throws(RegularExpressionError) {
    if case .scalar(let set) = body {
      let run = emit(.run, index(of: set), Int32(minimum), Int32(clamping: maximum))
      instructions[run].kind = kind
    } else if kind == .possessive {
      try compile(.atomic(.repetition(body, minimum: minimum, maximum: maximum, .greedy)))
    } else {
      let start = instructions.count
      for _ in 0..<minimum {
        try compile(body)
        // Nothing repeated is nothing, however often.
        if instructions.count == start { return }
      }
      if maximum == RegularExpressionSyntax.unlimited {
        try compileLoop(body, kind)
      } else {
        var splits: [Int] = []
        for _ in minimum..<max(minimum, maximum) {
          splits.append(emit(.split))
          try compile(body)
        }
        for split in splits { setTargets(of: split, kind, body: Int32(split) + 1, exit: next) }
      }
    }
  }

  private mutating func compileLoop(
    _ body: RegularExpressionSyntax, _ kind: RegularExpressionSyntax.RepetitionKind
  ) throws(RegularExpressionError) {
    let split = emit(.split)
    if body.isNullable {
      let register = Int32(registerCount)
      registerCount += 1
      emit(.note, register)
      try compile(body)
      emit(.leaveIfStuck, register, next + 2)
    } else {
      try compile(body)
    }
    emit(.jump, Int32(split))
    setTargets(of: split, kind, body: Int32(split) + 1, exit: next)
  }

  private mutating func setTargets(
    of split: Int, _ kind: RegularExpressionSyntax.RepetitionKind, body: Int32, exit: Int32
  ) {
    instructions[split].a = kind == .lazy ? exit : body
    instructions[split].b = kind == .lazy ? body : exit
  }

  private mutating func index(of set: ScalarSet) -> Int32 {
    var compiled = CompiledSet(
      categories: set.categories, firstRange: Int32(ranges.count), rangeCount: 0, isNegated: set.isNegated)
    for scalar in UInt32(0)..<128 where set.contains(scalar) {
      if scalar < 64 { compiled.low |= 1 << scalar } else { compiled.high |= 1 << (scalar - 64) }
    }
    for range in set.ranges.filter({ $0.upperBound >= 128 }).sorted(by: { $0.lowerBound < $1.lowerBound }) {
      if compiled.rangeCount > 0, let last = ranges.last, range.lowerBound <= last.upperBound {
        ranges[ranges.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
      } else {
        ranges.append(range)
        compiled.rangeCount += 1
      }
    }
    sets.append(compiled)
    return Int32(sets.count - 1)
  }

  /// The bytes that a match of `syntax` can start with; all when it can be empty.
  private func startBytes(of syntax: RegularExpressionSyntax) -> ByteSet {
    if syntax.isNullable { return .all }
    switch syntax {
    case .scalar(let set):
      var bytes = ByteSet.nonASCII
      for byte in UInt8(0)..<128 where set.contains(UInt32(byte)) { bytes.insert(byte) }
      return bytes
    case .sequence(let parts):
      var bytes = ByteSet.none
      for part in parts {
        if case .assertion = part { continue }
        if case .lookAhead = part { continue }
        if case .lookBehind = part { continue }
        bytes.formUnion(part.isNullable ? nullableStartBytes(of: part) : startBytes(of: part))
        if !part.isNullable { break }
      }
      return bytes
    case .alternatives(let parts):
      return parts.reduce(into: ByteSet.none) { $0.formUnion(startBytes(of: $1)) }
    case .repetition(let body, _, _, _), .atomic(let body): return startBytes(of: body)
    case .empty, .lookAhead, .lookBehind, .assertion: return .all
    }
  }

  /// The bytes that a match of a part can start with if it is not empty.
  private func nullableStartBytes(of syntax: RegularExpressionSyntax) -> ByteSet {
    guard case .repetition(let body, _, _, _) = syntax else { return .all }
    return startBytes(of: body)
  }
}
