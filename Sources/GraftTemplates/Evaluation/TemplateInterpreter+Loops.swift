extension TemplateInterpreter {
  func execute(_ loop: TemplateLoop, in scope: TemplateScope) throws -> Flow {
    try execute(loop, over: try evaluate(loop.iterable, in: scope), depth0: 0, in: scope)
    return .normal
  }

  private func execute(
    _ loop: TemplateLoop, over iterable: TemplateValue, depth0: Int, in scope: TemplateScope
  ) throws {
    let iterator = try filtered(try iterable.makeIterator(), by: loop, in: scope)
    let loopName = loop.usesLoopVariable ? program.names.firstIndex(of: "loop") : nil
    let isCounted = loop.condition == nil && iterable.count != nil
    let recurse: ((TemplateValue, Int) throws -> TemplateValue)? =
      !loop.isRecursive
      ? nil
      : { [self] items, depth in
        .string(try captured { try execute(loop, over: items, depth0: depth, in: scope) })
      }
    let state = TemplateLoopState(
      over: iterator, count: isCounted ? iterable.count : nil, depth0: depth0, recurse: recurse)
    var ranToEnd = true
    // Not restored where the body throws: the error is about that message.
    let outer = (currentMessage, awaitsMessage)
    while let item = try state.next() {
      let inner = TemplateScope(in: scope)
      if let loopName { inner[loopName] = .loop(state) }
      try assign(item, to: loop.target, in: inner)
      currentMessage = item.messageIndex ?? outer.0
      awaitsMessage = currentMessage == nil
      let flow = try entered { try execute(loop.body, in: inner) }
      if flow == .breakLoop { break }
      // As in Python code generated from the template, `continue` does not reach the end of the body.
      if flow == .normal { ranToEnd = false }
    }
    (currentMessage, awaitsMessage) = outer
    if ranToEnd, !loop.otherwise.isEmpty {
      _ = try execute(loop.otherwise, in: TemplateScope(in: scope))
    }
  }

  private func filtered(
    _ iterator: TemplateIterator, by loop: TemplateLoop, in scope: TemplateScope
  ) throws -> TemplateIterator {
    guard let condition = loop.condition else { return iterator }
    return TemplateIterator("generator") { [self] in
      while let item = try iterator.next() {
        let inner = TemplateScope(in: scope)
        try assign(item, to: loop.target, in: inner)
        if try evaluate(condition, in: inner).isTrue { return item }
      }
      return nil
    }
  }
}
