import GraftConfiguration
import Testing

private enum Color: String, ConfigChoice {
  case red, green
  case darkBlue = "dark_blue"
}

private struct Inner: Codable, Equatable {
  var count = 3
  var rate: Double? = 0.5
  var note: String?
}

private struct Outer: Codable, Equatable {
  var title = "t"
  var inner = Inner()
  var color = Color.red
  var sizes = [1, 2]
  var ranks: [String: Int] = ["q": 1]
  var open: ConfigTree = ["kind": "x", "r": 1]
  var child: Inner?
  var share: Float = 0.1
}

/// Keys that several configurations share.
private struct Shared: InlinedKeys, Equatable {
  var layersToTransform: [Int]?
  var phmCInit = "normal"
}

private struct Spelled: Codable, Equatable, SpelledKeys {
  var loraAlpha = 8.0
  var shared = Shared()
  var deltaT = 1
  var encoder = "MLP"
  var useEffectiveConv2d = false
  var rankPattern: [String: Int] = ["qProj": 1]

  static let keySpellings = ["deltaT": "deltaT", "encoder": "encoder_type"]
}

@Suite("Names of keys")
struct KeyNamingTests {
  private static let names = ["lora_alpha", "layers_to_transform", "phm_c_init", "deltaT", "encoder_type", "use_effective_conv2d", "rank_pattern"]

  @Test("are the properties' in snake case, or as they are spelled, and shared keys stand among a type's own")
  func encoding() throws {
    let tree = try ConfigTree(encoding: Spelled())
    #expect(tree.mapping?.keys == Self.names)
    #expect(tree["rank_pattern"] == ["qProj": 1])
    #expect(try tree.decoded(as: Spelled.self) == Spelled())
  }

  @Test("are read over defaults, shared ones included")
  func decoding() throws {
    let tree: ConfigTree = ["lora_alpha": 2, "layers_to_transform": [1], "phm_c_init": "x", "deltaT": 3, "rank_pattern": ["k_proj": 2]]
    var expected = Spelled()
    expected.loraAlpha = 2
    expected.shared = Shared(layersToTransform: [1], phmCInit: "x")
    expected.deltaT = 3
    expected.rankPattern = ["k_proj": 2]
    #expect(try tree.decoded(over: Spelled()) == expected)
  }

  @Test("are what messages say")
  func messages() {
    func message(_ tree: ConfigTree) -> String {
      do { return "\(try tree.decoded(over: Spelled()))" } catch { return "\(error)" }
    }
    #expect(message(["lora_alpha": "x"]) == "lora_alpha: expected a number, found the text 'x'; write a number such as 2.0e-4")
    #expect(message(["layers_to_transform": 1]) == "layers_to_transform: expected a list, found the number 1; write [a, b]")
    #expect(message(["loraAlpha": 1]) == "loraAlpha: unknown key; did you mean 'lora_alpha'?")
    #expect(message(["encoder": "x"]).hasPrefix("encoder: unknown key"))
    #expect(message(["zzzzzz": 1]) == "zzzzzz: unknown key; known here: " + Self.names.joined(separator: ", "))
  }
}

@Suite struct ConfigDecodingTests {
  private func message(_ tree: ConfigTree, sections: [String: String] = [:]) -> String {
    do {
      _ = try tree.decoded(over: Outer(), sections: sections)
      return "no error"
    } catch { return "\(error)" }
  }

  @Test func encodingNamesEveryKey() throws {
    let tree = try ConfigTree(encoding: Outer())
    #expect(tree.mapping?.keys == ["title", "inner", "color", "sizes", "ranks", "open", "child", "share"])
    #expect(tree["inner"] == ["count": 3, "rate": 0.5, "note": .null])
    #expect(tree["child"]?.isNull == true)
    #expect(tree["share"]?.double == 0.1)
    #expect(try tree.decoded(as: Outer.self) == Outer())
  }

  @Test func whatIsLeftOutStaysAsItIs() throws {
    let outer = try ConfigTree(dictionaryLiteral: ("inner", ["rate": 1]), ("color", "dark_blue")).decoded(over: Outer())
    var expected = Outer()
    expected.inner.rate = 1
    expected.color = .darkBlue
    #expect(outer == expected)
    #expect(try ConfigTree.null.decoded(over: Outer()) == Outer())
  }

  @Test func nullsClearOptionalsAndEmptySectionsKeepTheirDefaults() throws {
    let outer = try ConfigTree(dictionaryLiteral: ("inner", ["rate": .null])).decoded(over: Outer())
    #expect(outer.inner.rate == nil && outer.inner.count == 3)
    #expect(try ConfigTree(dictionaryLiteral: ("inner", .null)).decoded(over: Outer()) == Outer())
  }

  @Test func openSectionsAndDictionariesAreReplacedWhole() throws {
    let outer = try ConfigTree(dictionaryLiteral: ("open", ["anything": [1]]), ("ranks", ["v.*": 2])).decoded(
      over: Outer())
    #expect(outer.open == ["anything": [1]])
    #expect(outer.ranks == ["v.*": 2])
  }

  @Test func unknownKeysNameTheNearest() {
    #expect(message(["inner": ["cuont": 1]]) == "inner.cuont: unknown key; did you mean 'count'?")
    #expect(message(["titel": "x"]) == "titel: unknown key; did you mean 'title'?")
    #expect(message(["count": 1]) == "count: unknown key; 'count' belongs under 'inner:'")
    #expect(message(["inner": ["title": "x"]]) == "inner.title: unknown key; 'title' belongs to the top level")
    #expect(message(["lora": 1], sections: ["lora": "open"]) == "lora: unknown key; 'lora' belongs under 'open:'")
    #expect(message(["inner": ["zzzzz": 1]]) == "inner.zzzzz: unknown key; known here: count, rate, note")
  }

  @Test func unknownKeysAreFoundWhereTheDefaultIsNil() {
    #expect(message(["child": ["count": 1, "rat": 2]]) == "child.rat: unknown key; did you mean 'rate'?")
    #expect(message(["child": ["rate": 1]]) == "child: the key 'count' is missing; add count: ...")
  }

  @Test func wrongTypesSayWhatWasExpectedAndFound() {
    #expect(
      message(["inner": ["count": "eight"]]).hasPrefix("inner.count: expected a whole number, found the text 'eight'"))
    #expect(message(["inner": ["count": 1.5]]).hasPrefix("inner.count: expected a whole number, found the number 1.5"))
    #expect(message(["inner": ["count": .null]]).hasPrefix("inner.count: expected a whole number, found nothing"))
    #expect(message(["title": 3]).hasPrefix("title: expected text, found the number 3"))
    #expect(message(["title": ["a"]]).hasPrefix("title: expected text, found a list"))
    #expect(message(["sizes": [1, "x"]]).hasPrefix("sizes.1: expected a whole number"))
    #expect(message(["sizes": 1]).hasPrefix("sizes: expected a list, found the number 1"))
    #expect(message(["inner": 1]).hasPrefix("inner: expected a section, found the number 1"))
    #expect(message([1]).hasPrefix("expected a section, found a list"))
    #expect(message(["color": "gren"]) == "color: unknown value 'gren'; did you mean 'green'?")
    #expect(message(["color": "purple"]) == "color: unknown value 'purple'; choose one of red, green, dark_blue")
  }

  @Test func errorsNameFileAndLine() {
    var tree: ConfigTree = ["inner": ["count": "x"]]
    var inner = ConfigMapping()
    inner.set(
      "count", to: ConfigTree(.scalar(.string("x")), location: ConfigLocation(file: "a.yaml", line: 7, column: 10)),
      keyLocation: ConfigLocation(file: "a.yaml", line: 7, column: 3))
    tree["inner"] = .mapping(inner)
    #expect(message(tree).hasPrefix("a.yaml:7: inner.count: expected a whole number"))
    tree["inner"] = ["count": 1]
    #expect(message(tree) == "no error")
  }
}
