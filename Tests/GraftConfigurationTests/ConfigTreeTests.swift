import GraftConfiguration
import GraftJSON
import Testing

@Suite struct ConfigTreeTests {
  @Test(arguments: [
    ("", ScalarValue.null), ("~", .null), ("null", .null), ("true", .bool(true)), ("False", .bool(false)),
    ("yes", .string("yes")), ("12", .integer(12)), ("-3", .integer(-3)), ("+4", .integer(4)), ("0x1F", .integer(31)),
    ("0o17", .integer(15)), ("1e-4", .number(1e-4)), ("2.0e-4", .number(2e-4)), (".5", .number(0.5)),
    ("5.", .number(5)),
    (".inf", .number(.infinity)), ("nan", .string("nan")), ("infinity", .string("infinity")),
    ("0x1p3", .string("0x1p3")),
    ("1.2.3", .string("1.2.3")), ("-", .string("-")), ("e", .string("e")), ("1_000", .string("1_000")),
    ("q_proj", .string("q_proj")), ("99999999999999999999", .number(1e20)),
  ])
  func plainTextHasTheCoreSchemasMeaning(text: String, expected: ScalarValue) {
    let scalar = ScalarValue(plain: text)
    #expect(scalar == expected)
    #expect((scalar.string == nil) == (expected.string == nil))
  }

  @Test func jsonGoesThereAndBack() throws {
    let json = try JSON(
      parsing: #"{"r": 8, "alpha": 0.5, "targets": ["q", null, true], "nested": {"b": "x", "a": []}}"#)
    let tree = ConfigTree(json, file: "adapter_config.json")
    #expect(tree.json == json)
    #expect(tree.json.serialized() == json.serialized())
    #expect(tree["nested"]?["b"]?.string == "x")
    #expect(tree.location(at: ["nested", "b"])?.file == "adapter_config.json")
  }

  @Test func mergingOverlaysSectionsAndReplacesTheRest() {
    let defaults: ConfigTree = ["a": ["x": 1, "y": [1, 2]], "b": "text", "c": ["z": 1]]
    let user: ConfigTree = ["a": ["y": [3]], "b": .null, "c": .null]
    #expect(user.merged(over: defaults) == ["a": ["x": 1, "y": [3]], "b": .null, "c": ["z": 1]])
  }

  @Test func renderingIsReadableYAML() {
    let tree: ConfigTree = [
      "name": "lora q", "rate": 1e-8, "big": 3e20, "list": ["a", 1, "1"], "empty": [:], "none": .null,
      "items": [["name": "x", "sub": ["k": true]], ["name": "w"]], "path": "Data/a b.jsonl", "odd": "yes",
      "text": "a: \"b\"\n",
      "spaced": " x", "é": "ü",
    ]
    #expect(
      tree.rendered() == """
        name: lora q
        rate: 1.0e-08
        big: 3.0e+20
        list: [a, 1, "1"]
        empty: {}
        none: null
        items:
          - name: x
            sub:
              k: true
          - name: w
        path: Data/a b.jsonl
        odd: "yes"
        text: "a: \\"b\\"\\n"
        spaced: " x"
        "é": "ü"

        """)
  }
}

@Suite struct NearestNameTests {
  @Test(arguments: [
    ("lerning_rate", "learning_rate"), ("learningRate", "learning_rate"), ("batchsize", "batch_size"), ("sede", "seed"),
    ("BATCH-SIZE", "batch_size"),
  ])
  func findsWhatWasMeant(typed: String, meant: String) {
    #expect(NearestName.of(typed, among: ["seed", "learning_rate", "batch_size", "epsilon"]) == meant)
  }

  @Test func keepsSilentWhenNothingIsNear() {
    #expect(NearestName.of("dropout", among: ["seed", "learning_rate"]) == nil)
  }
}

@Suite struct ConfigOverrideTests {
  @Test func setsMakesAndIndexes() throws {
    var tree: ConfigTree = ["a": ["b": 1], "list": [["n": 1], ["n": 2]]]
    for argument in ["a.b=2", "a.c=text", "new.deep.key=1e-3", "list.1.n=5", "empty="] {
      try tree.apply(ConfigOverride(parsing: argument))
    }
    #expect(
      tree == [
        "a": ["b": 2, "c": "text"], "list": [["n": 1], ["n": 5]], "new": ["deep": ["key": 1e-3]], "empty": .null,
      ])
  }

  @Test(arguments: ["a", "=1", "a..b=1", ".a=1"])
  func refusesWhatIsNoOverride(argument: String) {
    #expect(throws: ConfigError.self) { try ConfigOverride(parsing: argument) }
  }

  @Test func refusesPathsThroughScalarsAndPastLists() {
    var tree: ConfigTree = ["a": 1, "list": [1]]
    #expect(throws: ConfigError.self) { try tree.apply(ConfigOverride(parsing: "a.b=1")) }
    #expect(throws: ConfigError.self) { try tree.apply(ConfigOverride(parsing: "list.1=1")) }
  }
}
