import GraftJSON

/// Sequences and special tokens in the order of a template, one for single sequences and one for pairs.
struct TemplateProcessor: PostProcessor {
  private enum Piece: Sendable {
    case sequence(Int, type: Int32)
    case special([Int32], type: Int32)
  }

  private let single: [Piece]
  private let pair: [Piece]

  init(_ component: Component) throws(TokenizerError) {
    single = try Self.readPieces(component, "single")
    pair = try Self.readPieces(component, "pair")
  }

  private static func readPieces(_ component: Component, _ key: String) throws(TokenizerError) -> [Piece] {
    guard let list = component.json[key]?.array else {
      throw component.error("post-processor TemplateProcessing has no list \"\(key)\"")
    }
    var pieces: [Piece] = []
    for element in list {
      if let sequence = element["Sequence"], let id = sequence["id"]?.string, id == "A" || id == "B" {
        guard key == "pair" || id == "A" else { throw component.error("the template for one sequence names sequence B") }
        pieces.append(.sequence(id == "A" ? 0 : 1, type: Int32(truncatingIfNeeded: sequence["type_id"]?.int ?? 0)))
      } else if let special = element["SpecialToken"], let name = special["id"]?.string {
        guard let ids = component.json["special_tokens"]?[name]?["ids"]?.array else {
          throw component.error("the template names \"\(name)\", which is not among its special_tokens")
        }
        let type = Int32(truncatingIfNeeded: special["type_id"]?.int ?? 0)
        pieces.append(.special(ids.compactMap { $0.int.map { Int32(truncatingIfNeeded: $0) } }, type: type))
      } else {
        throw component.error("an element of \"\(key)\" is neither a Sequence nor a SpecialToken")
      }
    }
    return pieces
  }

  func process(_ runs: [TokenRun], addingSpecialTokens: Bool) -> [TokenRun] {
    guard (1...2).contains(runs.count) else { return runs }
    return (runs.count == 1 ? single : pair).compactMap { piece in
      switch piece {
      case .sequence(let index, let type): runs[index].with(type: type)
      case .special(let ids, let type): addingSpecialTokens ? TokenRun(ids, type: type, special: true) : nil
      }
    }
  }
}
