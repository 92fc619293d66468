import GraftBatching
import GraftConfiguration
import GraftDatasets
import GraftRecipes
import Testing

@Suite struct RecipeLabelTests {
  private func recipe(_ data: String, task: String = "sequence_classification", more: String = "") throws -> Recipe {
    try Recipe(yaml: "model: {path: m}\ntask: \(task)\ndata: {train: t.csv, \(data)}\n\(more)\n", file: "r.yaml")
  }

  private func message(_ data: String, task: String = "sequence_classification", more: String = "") -> String {
    do {
      _ = try recipe(data, task: task, more: more)
      return "no error"
    } catch { return "\(error)" }
  }

  @Test func labelsAndTablesAreDescribed() throws {
    let found = try recipe(
      "problem_type: multi_label_classification, num_labels: 3, labels: [0, true, c], class_weights: {c: 2, true: 0.5}, quoting: none, delimiter: \";\", header: false"
    )
    #expect(found.data.problemType == .multiLabel && found.data.numLabels == 3)
    #expect(found.data.labels?.map(\.text) == ["0", "true", "c"])
    #expect(found.data.classWeights == ["c": 2, "true": 0.5])
    #expect(found.data.quoting == TableQuoting.none && found.data.delimiter == ";" && !found.data.header)
    // What is written beside a run's results says the same.
    #expect(try Recipe(yaml: found.rendered(), file: "r.yaml").data == found.data)
    let silent = try recipe("max_length: 8")
    #expect(silent.data.problemType == nil && silent.data.labels == nil && silent.data.quoting == nil && silent.data.header)
    #expect(silent.training.labelSmoothing == 0)
  }

  @Test func whatCannotBeIsRefused() {
    #expect(message("problem_type: ranking").contains("data.problem_type: unknown value 'ranking'"))
    #expect(message("num_labels: 0").contains("data.num_labels: 0 is impossible"))
    #expect(message("num_labels: 3, labels: [a, b]").contains("3 is not the number of data.labels, 2"))
    #expect(message("labels: []").contains("data.labels: the list is empty"))
    #expect(message("labels: [a, [b]]").contains("data.labels"))
    #expect(message("labels: [a, b], problem_type: regression").contains("data.labels: regression has no classes"))
    #expect(message("class_weights: {a: 1}, problem_type: regression").contains("data.class_weights: regression has no classes"))
    #expect(message("num_labels: 1, problem_type: single_label_classification").contains("one class is nothing to choose from"))
    #expect(message("class_weights: {a: .inf}").contains("data.class_weights.a"))
    #expect(message("labels: [a, b]", task: "causal_lm").contains("data.labels: not for causal_lm"))
    #expect(message("problem_type: regression", task: "token_classification").contains("data.problem_type: not for token_classification"))
    #expect(message("labels: [a, b]", task: "token_classification") == "no error")
    #expect(message("quoting: sometimes").contains("data.quoting: unknown value 'sometimes'"))
    #expect(message("delimiter: \"::\"").contains("data.delimiter: '::' is not one ASCII character"))
    #expect(message("max_length: 8", more: "training: {label_smoothing: 1.0}").contains("training.label_smoothing: 1.0 is impossible"))
    #expect(message("problem_type: regression", more: "training: {label_smoothing: 0.1}").contains("training.label_smoothing"))
  }
}
