import GraftConfiguration
import GraftDatasets

/// A value that cannot be.
struct RecipeProblem {
  var path: [String]
  var problem: String
  var advice: String

  init(_ path: String, _ problem: String, _ advice: String) {
    self.path = path.split(separator: ".").map(String.init)
    self.problem = problem
    self.advice = advice
  }
}

extension Recipe {
  /// Two ways to say the same, of which the one that stands above takes the other's place.
  static let exclusiveTrainingKeys = [("num_epochs", "max_steps"), ("warmup_steps", "warmup_ratio")]

  /// Two sources of the same, of which a recipe names one.
  static let exclusiveSources = [("model.path", "model.config"), ("data.eval", "data.eval_fraction")]

  static let exclusiveKeys: [(String, String)] = exclusiveSources + exclusiveTrainingKeys.map { ("training." + $0.0, "training." + $0.1) }

  /// The most that a recipe may count of anything: products of two counts fit an `Int`.
  package static let largestCount = Int(Int32.max)

  /// Everything impossible in the recipe, in the order of its sections.
  func problems() -> [RecipeProblem] {
    model.problems() + data.problems() + objectiveProblems() + preferenceProblems() + labelProblems() + training.problems() + comparisonProblems()
      + methodProblems()
  }

  private func objectiveProblems() -> [RecipeProblem] {
    var problems: [RecipeProblem] = []
    if data.objective == .spanCorruption, task != .seq2seqLM {
      problems.append(RecipeProblem("data.objective", "span_corruption is not for \(task.rawValue)", "set task: seq2seq_lm, or leave it out"))
    }
    if data.objective == .spanCorruption, data.format.encoded != .auto, data.format.encoded != .text {
      problems.append(RecipeProblem("data.objective", "span_corruption is for texts, not for the format \(data.format.rawValue)", "set format: text"))
    }
    if data.nextSentence, task != .maskedLM {
      problems.append(RecipeProblem("data.next_sentence", "not for \(task.rawValue)", "set task: masked_lm, or leave it out"))
    }
    return problems
  }

  private func methodProblems() -> [RecipeProblem] {
    let types = [("method", method)] + (methods ?? []).enumerated().map { ("methods.\($0).method", $1.method) }
    return types.compactMap { path, method in
      guard method.mapping != nil else {
        return RecipeProblem(
          path, "expected a section, found \(method.kindDescription)", "write its keys indented below it")
      }
      if let (key, number) = method.firstExcessiveNumber(path) {
        return RecipeProblem(key, "\(number) is impossible", "choose a number between \(-Self.largestCount) and \(Self.largestCount)")
      }
      guard let type = method["peft_type"], type.string == nil else { return nil }
      return RecipeProblem(
        path + ".peft_type", "expected text, found \(type.kindDescription)", "write a method such as LORA")
    }
  }

  private func comparisonProblems() -> [RecipeProblem] {
    var problems: [RecipeProblem] = []
    let names = (methods ?? []).map(\.name)
    if let twice = names.first(where: { name in names.filter { $0 == name }.count > 1 }) {
      problems.append(RecipeProblem("methods", "two methods are called '\(twice)'", "give each a name of its own"))
    }
    if methods?.isEmpty == true { problems.append(RecipeProblem("methods", "the list is empty", "add {name, method}")) }
    if seeds?.isEmpty == true { problems.append(RecipeProblem("seeds", "the list is empty", "add a seed")) }
    if let twice = seeds?.first(where: { seed in (seeds ?? []).filter { $0 == seed }.count > 1 }) {
      problems.append(RecipeProblem("seeds", "\(twice) stands twice, and the same run twice says no more", "give every seed once"))
    }
    if let negative = seeds?.first(where: { $0 < 0 }) {
      problems.append(RecipeProblem("seeds", "\(negative) is negative", "choose seeds of 0 or more"))
    }
    if let fewShot {
      if fewShot.isEmpty || fewShot.contains(where: { $0 < 1 }) || Set(fewShot).count < fewShot.count {
        problems.append(RecipeProblem("few_shot", "not a list of different numbers of at least 1", "write [4, 16]"))
      } else if ![.causalLM, .seq2seqLM].contains(task) {
        problems.append(RecipeProblem("few_shot", "task \(task.rawValue) has no prompts that could show examples", "leave it out"))
      }
    }
    let rates =
      [("learning_rates", learningRates)]
      + (methods ?? []).enumerated().map { ("methods.\($0).learning_rates", $1.learningRates) }
    for (path, values) in rates {
      guard let values else { continue }
      if values.isEmpty || values.contains(where: { !($0 > 0 && $0.isFinite) }) {
        problems.append(RecipeProblem(path, "not a list of positive numbers", "write [1.0e-4, 1.0e-3]"))
      }
    }
    return problems
  }
}

extension ConfigTree {
  /// The first number within a method's section that is no size, rate or rank that could be meant, with its dotted path.
  fileprivate func firstExcessiveNumber(_ path: String) -> (path: String, number: String)? {
    switch value {
    case .scalar(.string), .scalar(.bool), .scalar(.null): return nil
    case .scalar:
      guard let number = double, !(abs(number) <= Double(Recipe.largestCount)) else { return nil }
      return (path, int.map(String.init) ?? String(number))
    case .sequence(let elements): return elements.indices.lazy.compactMap { elements[$0].firstExcessiveNumber("\(path).\($0)") }.first
    case .mapping(let mapping): return mapping.entries.lazy.compactMap { $0.value.firstExcessiveNumber("\(path).\($0.key)") }.first
    }
  }
}
