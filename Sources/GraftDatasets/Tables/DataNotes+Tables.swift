extension DataNotes {
  /// Says where a row of a table takes up several lines: a field in quotes that holds line ends, or a quote that opens none.
  public func sayLongRows(_ records: [DataRecord]) {
    let long = records.filter { $0.isRow && $0.lineCount > 1 }
    guard let first = long.first else { return }
    let others = long.count > 1 ? ", as do \(long.count - 1) more rows" : ""
    say(
      "\(first.file):\(first.line): a field in quotes goes on to line \(first.line + first.lineCount - 1)\(others); "
        + "set data.quoting: none if quotes are part of the text")
  }
}
