import GraftJSON
import Testing

@Suite("JSON values")
struct JSONValueTests {
  @Test("objects keep their order and find keys by bytes")
  func orderedObject() throws {
    var object = JSONObject()
    for index in 0..<1000 { object["key\(index)"] = .integer(index) }
    #expect(object.keys == (0..<1000).map { "key\($0)" })
    #expect((0..<1000).allSatisfy { object["key\($0)"] == .integer($0) })
    #expect(object["key1000"] == nil)
    object["key10"] = nil
    object["key11"] = "eleven"
    #expect(object.count == 999)
    #expect(object["key10"] == nil)
    #expect(object["key11"] == "eleven")
    #expect(object[10].key == "key11")
    #expect(object["key999"] == 999)
    for index in 0..<1000 where index != 999 { object["key\(index)"] = nil }
    #expect(object == ["key999": 999])

    let composed = try JSON(parsing: "{\"\u{e9}\": 1, \"e\u{301}\": 2}")
    #expect(composed["\u{e9}"] == 1)
    #expect(composed["e\u{301}"] == 2)
    #expect(JSON.string("\u{e9}") != JSON.string("e\u{301}"))
  }

  @Test("accessors answer for their kind only")
  func accessors() {
    let json: JSON = ["s": "text", "i": 3, "d": 2.5, "whole": 4.0, "b": true, "a": [1, 2], "o": [:], "n": .null]
    #expect(json["s"]?.string == "text")
    #expect(json["i"]?.int == 3)
    #expect(json["i"]?.double == 3)
    #expect(json["d"]?.int == nil)
    #expect(json["whole"]?.int == 4)
    #expect(json["b"]?.bool == true)
    #expect(json["b"]?.int == nil)
    #expect(json["a"]?[1] == 2)
    #expect(json["a"]?[2] == nil)
    #expect(json["a"]?["x"] == nil)
    #expect(json["n"]?.isNull == true)
    #expect(json["missing"] == nil)
    #expect(JSON.number(.greatestFiniteMagnitude).int == nil)
  }

  @Test("values can be changed in place")
  func mutation() {
    var json: JSON = ["a": 1]
    json["b"] = ["c": 2]
    json["a"] = nil
    #expect(json == ["b": ["c": 2]])
  }

  @Test("equality ignores member order and number spelling")
  func equality() throws {
    #expect(try JSON(parsing: "{\"a\":1,\"b\":2}") == JSON(parsing: "{\"b\":2.0,\"a\":1}"))
    #expect(try JSON(parsing: "{\"a\":1}") != JSON(parsing: "{\"a\":1,\"b\":null}"))
    #expect(JSON.integer(.max) != JSON.number(9.3e18))
  }
}
