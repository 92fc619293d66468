import GraftJSON

/// One token per piece; pieces outside the vocabulary are unknown.
struct WordLevelModel: TokenizerModel {
  let vocabulary: Vocabulary
  let unknownID: Int32?

  init(_ component: Component) throws(TokenizerError) {
    guard let members = component.json["vocab"]?.object else {
      throw component.error("the WordLevel model has no \"vocab\"")
    }
    vocabulary = try Vocabulary(members, source: component.source)
    unknownID = vocabulary.id(of: component.json["unk_token"]?.string ?? "<unk>")
  }

  func appendTokens(of piece: UnsafeBufferPointer<UInt8>, to ids: inout [Int32], using workspace: ModelWorkspace) {
    if let id = vocabulary.id(of: piece) ?? unknownID { ids.append(id) }
  }
}
