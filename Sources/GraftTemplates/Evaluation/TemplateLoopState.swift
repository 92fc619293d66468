/// The `loop` variable: where a loop stands, looking ahead only when asked to.
final class TemplateLoopState {
  private(set) var index0 = -1
  let depth0: Int
  /// Renders the loop's body over other items, where the loop is recursive.
  let recurse: ((TemplateValue, Int) throws -> TemplateValue)?

  private var iterator: TemplateIterator
  private(set) var knownCount: Int?
  /// Nil when nothing was looked up; otherwise the next item, or nil at the end.
  private var lookedUp: TemplateValue??
  private var previous: TemplateValue?
  private(set) var currentItem: TemplateValue?
  private var lastChanged: [TemplateValue]?

  init(
    over iterator: TemplateIterator, count: Int?, depth0: Int,
    recurse: ((TemplateValue, Int) throws -> TemplateValue)?
  ) {
    self.iterator = iterator
    self.depth0 = depth0
    self.recurse = recurse
    knownCount = count
  }

  func next() throws -> TemplateValue? {
    let item: TemplateValue?
    if let ahead = lookedUp, ahead != nil {
      item = ahead
      lookedUp = nil
    } else {
      item = try iterator.next()
    }
    guard let item else { return nil }
    index0 += 1
    previous = currentItem
    currentItem = item
    return item
  }

  private func peek() throws -> TemplateValue? {
    if let ahead = lookedUp, ahead != nil { return ahead }
    let ahead = try iterator.next()
    lookedUp = .some(ahead)
    return ahead
  }

  func count() throws -> Int {
    if let knownCount { return knownCount }
    let rest = try TemplateValue.iterator(iterator).items()
    iterator = TemplateIterator(over: rest)
    var ahead = 0
    if let item = lookedUp, item != nil { ahead = 1 }
    let count = rest.count + index0 + 1 + ahead
    knownCount = count
    return count
  }

  func attribute(_ name: String) throws -> TemplateValue? {
    switch name {
    case "index0": return .integer(index0)
    case "index": return .integer(index0 + 1)
    case "first": return .bool(index0 == 0)
    case "last": return .bool(try peek() == nil)
    case "length": return .integer(try count())
    case "revindex": return .integer(try count() - index0)
    case "revindex0": return .integer(try count() - index0 - 1)
    case "previtem": return index0 == 0 ? .undefined("there is no previous item") : previous
    case "nextitem": return try peek() ?? .undefined("there is no next item")
    case "depth": return .integer(depth0 + 1)
    case "depth0": return .integer(depth0)
    case "cycle":
      return .function(
        TemplateFunction("cycle") { [self] arguments in
          guard !arguments.positional.isEmpty else { throw TemplateFailure(.value, "no items for cycling given") }
          return arguments.positional[index0 % arguments.positional.count]
        })
    case "changed":
      return .function(
        TemplateFunction("changed") { [self] arguments in
          let changed = lastChanged.map { !TemplateValue.tuple($0).equals(.tuple(arguments.positional)) } ?? true
          lastChanged = arguments.positional
          return .bool(changed)
        })
    default: return nil
    }
  }
}
