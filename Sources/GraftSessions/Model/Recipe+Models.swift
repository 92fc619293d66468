import GraftCheckpoints
import GraftRecipes

extension Recipe {
  /// Puts directories in the place of names of the hub whose files are in its cache.
  ///
  /// - Returns: remarks for the user, one for each.
  /// - Throws: `CheckpointError` of kind `missing` for a name that is not in the cache, with the command that downloads it.
  package mutating func findModels() throws(CheckpointError) -> [String] {
    let cache = HubCache()
    var notes: [String] = []
    func find(_ name: String, _ key: String) throws(CheckpointError) -> String {
      let directory: String
      do { directory = try cache.directory(of: name) } catch {
        throw CheckpointError(error.kind, "\(key): \(error.location)", error.problem, remedy: error.remedy)
      }
      if directory != name { notes.append(HubCache.note(on: name, in: directory)) }
      return directory
    }
    if let path = model.path { model.path = try find(path, "model.path") }
    if let tokenizer = model.tokenizer { model.tokenizer = try find(tokenizer, "model.tokenizer") }
    return notes
  }
}
