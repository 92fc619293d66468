/// The rows that each expert of one layer was sent.
public struct ExpertLoad: Sendable, Equatable {
  /// The path of the mixture of experts.
  public let path: String
  /// One number for each expert.
  public var rows: [Int]

  /// The rows of each expert of the mixture at a path.
  public init(path: String, rows: [Int]) {
    self.path = path
    self.rows = rows
  }

  /// The share of all rows that each expert was sent; even shares where there is no row.
  public var shares: [Double] {
    let total = rows.reduce(0, +)
    return rows.map { total > 0 ? Double($0) / Double(total) : 1 / Double(rows.count) }
  }

  /// The largest load as a multiple of the mean one: 1 where all experts are equally busy.
  public var imbalance: Double { (shares.max() ?? 0) * Double(rows.count) }
}

extension [ExpertLoad] {
  /// Adds the rows of other loads, layer by layer; a layer that is new here comes last.
  public mutating func add(_ others: [ExpertLoad]) {
    for other in others {
      guard let index = firstIndex(where: { $0.path == other.path }) else {
        append(other)
        continue
      }
      for expert in other.rows.indices { self[index].rows[expert] += other.rows[expert] }
    }
  }
}
