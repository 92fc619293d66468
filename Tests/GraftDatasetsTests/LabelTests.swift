import GraftBatching
import GraftDatasets
import GraftJSON
import Testing

@Suite struct LabelTests {
  /// Records with these labels, as a table holds them where they are texts.
  private func records(_ labels: [JSON], key: String = "label", isRow: Bool = false) -> [DataRecord] {
    labels.enumerated().map { DataRecord(["text": "a", key: $1], file: "d", line: $0 + 1, isRow: isRow) }
  }

  private func cells(_ labels: String...) -> [DataRecord] { records(labels.map(JSON.string), isRow: true) }

  private func decided(_ records: [DataRecord], _ settings: LabelSettings = LabelSettings()) throws -> LabelScheme {
    try settings.decided(for: records, isPerToken: false).scheme
  }

  private func message(_ records: [DataRecord], _ settings: LabelSettings = LabelSettings()) -> String {
    do {
      let scheme = try decided(records, settings)
      var encoder = ExampleEncoder(tokenizer: CharacterTokenizer(style: .encoder), task: .sequenceClassification)
      encoder.labels = scheme
      _ = try encoder.encodeDataset(records)
      return "no error"
    } catch { return "\(error)" }
  }

  private func labels(_ records: [DataRecord], _ settings: LabelSettings = LabelSettings()) throws -> [ExampleLabel?] {
    var encoder = ExampleEncoder(tokenizer: CharacterTokenizer(style: .encoder), task: .sequenceClassification)
    encoder.labels = try decided(records, settings)
    return try records.map { try encoder.encode($0).label }
  }

  @Test func numbersWithPointsAreLearnedByRegression() throws {
    for records in [cells("4.2", "1.5", "3"), records([4.2, 1.5, 3]), records(["4.2", "1.5", "3"])] {
      #expect(try labels(records) == [.value(4.2), .value(1.5), .value(3)])
    }
    // Written as numbers are: neither hexadecimal nor words.
    #expect(try decided(cells("0x1p3", "inf")).names == ["0x1p3", "inf"])
    let note = try #require(try LabelSettings().decided(for: cells("0.0", "1.0"), isPerToken: false).note)
    #expect(note.contains("numbers from 0 to 1") && note.contains("data.problem_type"))
  }

  @Test func zeroAndOneWithPointsAreClassesWhereTheRecipeSaysSo() throws {
    let settings = LabelSettings(problem: .singleLabel)
    #expect(try decided(cells("0.0", "1.0", "1.0"), settings).names == ["0", "1"])
    #expect(try labels(cells("0.0", "1.0", "1.0"), settings) == [.class(0), .class(1), .class(1)])
  }

  @Test func classesAreInNumericOrder() throws {
    #expect(try decided(cells("10", "9", "11", "9")).names == ["9", "10", "11"])
    #expect(try decided(cells("2", "10", "1", "-1")).names == ["-1", "1", "2", "10"])
    #expect(try labels(cells("10", "9", "11")) == [.class(1), .class(0), .class(2)])
    // As sentiments are often written: two classes, not five.
    #expect(try decided(records([0, 4, 4, 0])).names == ["0", "4"])
    // Counted from 0 they are places, of which one may be empty.
    #expect(try decided(records([0, 2])).names == ["0", "1", "2"])
    #expect(try decided(cells("b", "10", "a", "9")).names == ["9", "10", "a", "b"])
    #expect(try labels(cells("007", "010", "7")) == [.class(1), .class(2), .class(0)])
    #expect(try decided(cells("True", "False")).names == ["False", "True"])
  }

  @Test func whatIsMissingIsNoClass() {
    #expect(message(cells("1", "", "0")).hasPrefix("d:2: \"label\" is empty"))
    #expect(message(cells("1.5", "  ", "0.5")).hasPrefix("d:2: \"label\" is empty"))
    #expect(message(records([1, .null, 0])).hasPrefix("d:2: \"label\" is empty"))
    #expect(message(cells("1.5", "NaN", "0.5")).hasPrefix("d:2: the label \"NaN\" stands for a missing number"))
    #expect(message(cells("1", "0", "n/a")).hasPrefix("d:3: the label \"n/a\" stands for a missing number"))
    #expect(message(cells("4.5", "0.5", "4,5")).hasPrefix("d:3: the label \"4,5\" is no number, though others are"))
    // Among names it is one.
    #expect(message(cells("None", "pro", "contra")) == "no error")
  }

  @Test func oneClassIsRefused() {
    #expect(message(cells("x", "x")).contains("every label is \"x\""))
    #expect(message(cells("x", "x"), LabelSettings(names: ["x", "y"])) == "no error")
  }

  @Test func settingsDecide() throws {
    #expect(try labels(cells("y", "x"), LabelSettings(names: ["y", "z", "x"])) == [.class(0), .class(2)])
    #expect(message(cells("w"), LabelSettings(names: ["x", "y"])).hasPrefix("d:1: the model has no class \"w\"; use one of \"x\", \"y\""))
    #expect(try decided(cells("0", "1"), LabelSettings(count: 5)).names == ["0", "1", "2", "3", "4"])
    #expect(message(cells("a", "b", "c"), LabelSettings(count: 2)).contains("data.num_labels is 2, but the data names 3 classes"))
    #expect(try labels(cells("3", "1"), LabelSettings(problem: .regression)) == [.value(3), .value(1)])
    #expect(try labels(cells("3", "1"), LabelSettings(count: 1)) == [.value(3), .value(1)])
    #expect(message(cells("a"), LabelSettings(problem: .regression)).contains("cannot be predicted by regression"))
    #expect(try labels(records([[1.5, 2], [0, -1]]), LabelSettings(problem: .regression)) == [.values([1.5, 2]), .values([0, -1])])
    #expect(try LabelSettings(names: ["x", "y"]).decided(for: cells("x"), isPerToken: false).note == nil)
  }

  @Test func aCheckpointsNamesStandWhereTheDataFits() throws {
    let moods = CheckpointLabels(names: ["negative", "neutral", "positive"])
    #expect(try decided(records([0, 1]), LabelSettings(checkpoint: moods)).names == moods.names)
    #expect(try labels(cells("2", "0"), LabelSettings(checkpoint: moods)) == [.class(2), .class(0)])
    #expect(try labels(cells("positive", "negative"), LabelSettings(checkpoint: moods)) == [.class(2), .class(0)])
    #expect(try decided(cells("good", "bad"), LabelSettings(checkpoint: moods)).names == ["bad", "good"])
    #expect(try decided(records([0, 3]), LabelSettings(checkpoint: moods)).names.count > 1)
    #expect(try decided(records([0, 1]), LabelSettings(count: 2, checkpoint: moods)).names == ["0", "1"])
    // Classes that are called by numbers are not meant by their places.
    let stars = CheckpointLabels(names: ["1", "2", "3"])
    #expect(try labels(records([3, 1]), LabelSettings(checkpoint: stars)) == [.class(2), .class(0)])
    #expect(try decided(records([0, 1]), LabelSettings(checkpoint: stars)).names == ["0", "1"])
    // One output predicts a number, whether or not the labels have points.
    let score = CheckpointLabels(names: ["LABEL_0"], problem: .regression)
    #expect(try labels(records([0, 1]), LabelSettings(checkpoint: score)) == [.value(0), .value(1)])
  }

  @Test func listsAreAnyNumberOfClasses() throws {
    #expect(try labels(records([["b", "a"], [], ["c"]])) == [.classes([0, 1]), .classes([]), .classes([2])])
    #expect(try labels(records([["b"], ["a"]], key: "labels")) == [.classes([1]), .classes([0])])
    #expect(try labels(records([[0, 2], [1]])) == [.classes([0, 2]), .classes([1])])
    #expect(try labels(records([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]])) == [.classes([0, 2]), .classes([])])
    #expect(try labels(records([[1, 0, 1], [0, 1, 0]])) == [.classes([0, 2]), .classes([1])])
    let topics = CheckpointLabels(names: ["x", "y", "z"])
    #expect(try labels(records([[1, 1, 0]]), LabelSettings(checkpoint: topics)) == [.classes([0, 1])])
    #expect(try labels(records([["z", "x"]]), LabelSettings(checkpoint: topics)) == [.classes([0, 2])])
    // A single label is a list of one; in a table a list is written as JSON.
    #expect(try labels(records([["a", "b"], "a"])) == [.classes([0, 1]), .classes([0])])
    #expect(try labels(cells(#"["a", "b"]"#, "[]")) == [.classes([0, 1]), .classes([])])
    #expect(message(records([["a"], ["b"]]), LabelSettings(problem: .singleLabel)).contains("records have lists of labels"))
  }

  @Test func outputsAreSaidByName() {
    #expect(LabelScheme(names: ["a", "b"]).label(for: [0.5, 2]) == "b")
    #expect(LabelScheme(names: ["a", "b", "c"], problem: .multiLabel).label(for: [0.5, -2, 1]) == ["a", "c"])
    #expect(LabelScheme.regression.label(for: [4.5]) == 4.5)
  }
}
