/// Finding the name that somebody meant.
public enum NearestName {
  /// The candidate with the fewest typing errors between it and `name`; nil when none is near enough to be meant.
  public static func of(_ name: String, among candidates: some Sequence<String>) -> String? {
    let wanted = normalized(name)
    let limit = max(1, wanted.count / 3)
    return
      candidates
      .map { (candidate: $0, distance: distance(wanted, normalized($0))) }
      .filter { $0.distance <= limit }
      .min { ($0.distance, $0.candidate) < ($1.distance, $1.candidate) }?
      .candidate
  }

  /// "did you mean 'X'?" or else, for few candidates, all of them.
  public static func advice(for name: String, among candidates: [String]) -> String {
    if let nearest = of(name, among: candidates) { return "did you mean '\(nearest)'?" }
    return "choose one of " + candidates.joined(separator: ", ")
  }

  private static func normalized(_ name: String) -> [Character] {
    Array(name.lowercased()).filter { $0 != "_" && $0 != "-" && $0 != " " }
  }

  /// Insertions, deletions, substitutions and swaps of neighbours (Damerau, 1964; optimal string alignment).
  static func distance(_ a: [Character], _ b: [Character]) -> Int {
    var beforeLast: [Int] = []
    var last = Array(0...b.count)
    for i in a.indices {
      var row = [i + 1]
      for j in b.indices {
        var best = min(last[j + 1] + 1, row[j] + 1, last[j] + (a[i] == b[j] ? 0 : 1))
        if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { best = min(best, beforeLast[j - 1] + 1) }
        row.append(best)
      }
      (beforeLast, last) = (last, row)
    }
    return last[b.count]
  }
}
