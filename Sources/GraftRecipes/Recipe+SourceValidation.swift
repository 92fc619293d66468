import GraftConfiguration
import GraftDatasets

extension Recipe.Model {
  func problems() -> [RecipeProblem] {
    if path == nil, config == nil {
      return [
        RecipeProblem(
          "model.path", "the key is missing",
          "name a model directory, or give model.config to start from random weights")
      ]
    }
    if path == "" { return [RecipeProblem("model.path", "the path is empty", "name a model directory")] }
    if let config, config.mapping == nil {
      return [
        RecipeProblem(
          "model.config", "expected a section, found \(config.kindDescription)",
          "write the keys of a config.json below it")
      ]
    }
    if let config, config["model_type"]?.string == nil {
      return [
        RecipeProblem("model.config.model_type", "the key is missing", "name the architecture, as in model_type: llama")
      ]
    }
    return []
  }
}

extension Recipe.Data {
  func problems() -> [RecipeProblem] {
    var problems: [RecipeProblem] = []
    if train?.paths.isEmpty ?? true {
      problems.append(RecipeProblem("data.train", "the key is missing", "name a .jsonl, .csv, .tsv or .txt file"))
    }
    if eval?.paths.isEmpty == true {
      problems.append(RecipeProblem("data.eval", "the list is empty", "name a file or remove the key"))
    }
    for (file, weight) in (train?.weights ?? [:]).sorted(by: { $0.key < $1.key }) where !(weight > 0 && weight <= 1000) {
      problems.append(
        RecipeProblem("data.train", "\(file): the weight \(weight) is not above 0 and at most 1000", "write how often an epoch draws it"))
    }
    if let paths = train?.paths, train?.weights.isEmpty == false, Set(paths).count < paths.count {
      problems.append(RecipeProblem("data.train", "a file is named twice beside weights", "name it once, with the weight that is meant"))
    }
    for (key, list) in [("data.eval", eval), ("data.forgetting", forgetting)] where list?.weights.isEmpty == false {
      problems.append(RecipeProblem(key, "files that are not trained on have no weight", "write the path alone"))
    }
    problems += columnProblems()
    if let share = evalFraction, !(share > 0 && share < 1) {
      problems.append(
        RecipeProblem("data.eval_fraction", "\(share) is not between 0 and 1", "write a share such as 0.05"))
    }
    if !(corruptionRate > 0 && corruptionRate < 1) {
      problems.append(RecipeProblem("data.corruption_rate", "\(corruptionRate) is not between 0 and 1", "write a share such as 0.15"))
    }
    if !(meanSpanLength >= 1 && meanSpanLength.isFinite) {
      problems.append(RecipeProblem("data.mean_span_length", "\(meanSpanLength) is no length", "choose 1 or more, such as 3.0"))
    }
    problems += tableProblems() + labelProblems()
    if maxLength < 2 {
      problems.append(RecipeProblem("data.max_length", "\(maxLength) leaves nothing to predict", "choose 2 or more"))
    }
    if maxLength > Recipe.largestCount {
      problems.append(RecipeProblem("data.max_length", "\(maxLength) is impossible", "choose at most \(Recipe.largestCount)"))
    }
    return problems
  }
}

extension Recipe.Data {
  /// Names in `columns` that no format has.
  private func columnProblems() -> [RecipeProblem] {
    columns.keys.sorted().filter { !DataFormat.allColumns.contains($0) }.map { name in
      RecipeProblem("data.columns.\(name)", "no format has a column of this name", NearestName.advice(for: name, among: DataFormat.allColumns))
    }
  }
}
