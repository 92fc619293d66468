import GraftJSON
import Testing

@Suite("JSON serialization")
struct JSONSerializationTests {
  static let sample: JSON = [
    "b": [1, 2.0, 0.0001, 1e-05, 1e16, 0.1, -0.0], "a": ["é\n\"\\/\u{1f}\u{7f}", true, .null], "empty": [[], [:]],
    "Z": 0,
  ]

  @Test("pretty text equals Python's json.dumps(value, indent=2, ensure_ascii=False)")
  func pretty() {
    #expect(
      Self.sample.serialized(pretty: true) == """
        {
          "b": [
            1,
            2.0,
            0.0001,
            1e-05,
            1e+16,
            0.1,
            -0.0
          ],
          "a": [
            "é\\n\\"\\\\/\\u001f\u{7f}",
            true,
            null
          ],
          "empty": [
            [],
            {}
          ],
          "Z": 0
        }
        """)
  }

  @Test("compact text has no white space, and keys sort by code point")
  func compact() {
    #expect(
      Self.sample.serialized(sortedKeys: true)
        == #"{"Z":0,"a":["é\n\"\\/\u001f\#u{7f}",true,null],"b":[1,2.0,0.0001,1e-05,1e+16,0.1,-0.0],"empty":[[],{}]}"#)
  }

  @Test("what is not finite becomes null")
  func nonFinite() {
    #expect(JSON.array([.number(.nan), .number(.infinity)]).serialized() == "[null,null]")
  }

  @Test("text round-trips")
  func roundTrip() throws {
    for pretty in [false, true] {
      let text = Self.sample.serialized(pretty: pretty)
      let parsed = try JSON(parsing: text)
      #expect(parsed == Self.sample)
      #expect(parsed.serialized(pretty: pretty) == text)
    }
  }
}
