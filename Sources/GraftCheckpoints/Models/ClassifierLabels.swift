import GraftJSON

extension StoredAdapter {
  /// The number of labels of a classifier whose head the adapter has whole; nil where it has none.
  public var labelCount: Int? {
    let ends = ["classifier", "score", "classifier.out_proj", "classification_head.out_proj"]
    let head = (tensors + head).last { stored in
      ends.contains { stored.name == $0 + ".weight" || stored.name.hasSuffix(".\($0).weight") } && stored.tensor.shape.rank == 2
    }
    return head.map { $0.tensor.shape[0] }
  }

  /// The number of rows of the adapter's own table of tokens, which may be more than the base's; nil where it has none.
  public var vocabularySize: Int? {
    let ends = ["embed_tokens", "wte", "word_embeddings", "shared", "lm_head"].flatMap { [".\($0).weight", ".\($0).base_layer.weight"] }
    return tensors.lazy.filter { stored in ends.contains { stored.name.hasSuffix($0) } && stored.tensor.shape.rank == 2 }.map { $0.tensor.shape[0] }
      .max()
  }

  /// The labels of the run that made the adapter, for `label_names.json`; nil where it had none.
  var labels: JSON? {
    guard let names = training?.state?["labels"], names.array?.isEmpty == false else { return nil }
    var labels: JSON = ["labels": names]
    if let problem = training?.state?["problem_type"] { labels["problem_type"] = problem }
    return labels
  }

  /// Takes over what a `label_names.json` says: a list of names, or an object of which `labels` is one.
  mutating func take(labels json: JSON) {
    let names = json.array ?? json["labels"]?.array ?? []
    guard !names.isEmpty, names.allSatisfy({ $0.string != nil }) else { return }
    var state: JSON = ["labels": .array(names)]
    if let problem = json["problem_type"] { state["problem_type"] = problem }
    var training = training ?? StoredTraining()
    training.state = state
    self.training = training
  }
}
