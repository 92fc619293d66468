/// The files of a model's weights, and the tensors that they hold.
struct WeightFiles {
  /// One, or the shards in the order of their names.
  let files: [any WeightFile]
  /// The names of the model's tensors, in the order of the file or the index.
  let names: [String]
  /// The positions of the tensors' files.
  private let fileOfTensor: [String: Int]
  /// Tensors of shards that the index does not list.
  let unlisted: [String]

  init(_ file: any WeightFile) {
    files = [file]
    names = file.tensorNames
    fileOfTensor = Dictionary(names.map { ($0, 0) }) { first, _ in first }
    unlisted = []
  }

  /// - Throws: `CheckpointError` of kind `malformed` where the index says what its shards do not hold.
  init(shardsOf index: CheckpointIndex, in directory: String) throws(CheckpointError) {
    let shards = index.shardNames
    var files: [any WeightFile] = []
    for shard in shards { files.append(try index.open(shard, in: directory)) }
    let positions = Dictionary(zip(shards, 0...)) { first, _ in first }
    var fileOfTensor: [String: Int] = [:]
    for (tensor, shard) in index.shardOfTensor {
      guard let position = positions[shard], files[position].contains(tensor) else {
        throw .malformed(index.path, "says that '\(tensor)' is in \(shard), where it is not", remedy: "fetch the checkpoint again")
      }
      fileOfTensor[tensor] = position
    }
    (self.files, self.fileOfTensor) = (files, fileOfTensor)
    names = index.shardOfTensor.map(\.tensor)
    unlisted = files.enumerated().flatMap { position, file in file.tensorNames.filter { fileOfTensor[$0] != position } }
  }

  /// The file that holds the tensor called `name`; nil where none does.
  func file(of name: String) -> (any WeightFile)? { fileOfTensor[name].map { files[$0] } }
}
