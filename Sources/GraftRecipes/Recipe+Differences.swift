import GraftConfiguration
import GraftJSON

extension Recipe {
  /// The dotted keys whose values differ, with both.
  package func differences(from other: Recipe) throws -> [(key: String, value: String, other: String)] {
    func leaves(_ json: JSON, _ path: String) -> [(String, JSON)] {
      guard let members = json.object, !members.isEmpty else { return [(path, json)] }
      return members.flatMap { leaves($0.value, path.isEmpty ? $0.key : "\(path).\($0.key)") }
    }
    var own = self
    // Weights in float32 are the same whether they were asked for or follow the precision.
    if frozenFormat == .float32, other.frozenFormat == .float32 { own.model.dtype = other.model.dtype }
    let mine = leaves(try ConfigTree(encoding: own).json, "")
    let theirs = leaves(try ConfigTree(encoding: other).json, "")
    let known = Dictionary(theirs) { first, _ in first }
    let given = Set(mine.map(\.0))
    func text(_ value: JSON?) -> String { value.map { $0.isNull ? "not given" : $0.serialized() } ?? "not given" }
    let changed = mine.filter { text(known[$0.0]) != text($0.1) && known[$0.0] != $0.1 }
    let missing = theirs.filter { !given.contains($0.0) && !$0.1.isNull }
    return changed.map { (key: $0.0, value: text($0.1), other: text(known[$0.0])) } + missing.map { (key: $0.0, value: text(nil), other: text($0.1)) }
  }
}
