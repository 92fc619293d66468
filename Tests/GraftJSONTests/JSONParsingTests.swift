import GraftJSON
import Testing

@Suite("JSON parsing")
struct JSONParsingTests {
  @Test(
    "accepts RFC 8259",
    arguments: [
      ("null", JSON.null), (" true\n", true), ("false", false), ("0", 0), ("-12", -12), ("1.5", 1.5),
      ("-0.25e+2", -25.0), ("1E3", 1000.0), ("9223372036854775807", .integer(.max)),
      ("-9223372036854775808", .integer(.min)), ("9223372036854775808", .number(9223372036854775808)),
      ("1000000000000000019884624838656", .number(1e30)), ("1e-400", .number(0)), ("[]", []), ("[ ]", []), ("{}", [:]),
      ("{ }", [:]), ("[1,[2,{\"a\":[]}]]", [1, [2, ["a": []]]]), ("\"\"", ""),
      ("\"a/\\/\\\"\\\\\\b\\f\\n\\r\\t\"", "a//\"\\\u{8}\u{c}\n\r\t"),
      ("\"\\u00e9\\ud83d\\uDE00x\"", "é😀x"), ("\"\\u0000\"", "\0"), ("\"naïve 日本\"", "naïve 日本"),
      ("\"\u{7f}\"", "\u{7f}"),
    ] as [(String, JSON)])
  func accepts(text: String, value: JSON) throws {
    #expect(try JSON(parsing: text) == value)
  }

  @Test(
    "rejects with a position",
    arguments: [
      ("", 1, 1), ("  ", 1, 3), ("nul", 1, 1), ("[1,]", 1, 4), ("[1 2]", 1, 4), ("{\"a\":1,}", 1, 8), ("{a:1}", 1, 2),
      ("{\"a\" 1}", 1, 6), ("01", 1, 2), ("+1", 1, 1), ("1.", 1, 3), (".5", 1, 1), ("1e", 1, 3), ("-", 1, 2),
      ("1e400", 1, 1),
      ("\"abc", 1, 1), ("\"a\nb\"", 1, 3), ("\"\\x\"", 1, 2), ("\"\\u12g4\"", 1, 2), ("\"\\ud800\"", 1, 2),
      ("\"\\ud800\\u0041\"", 1, 2), ("\"\\udc00\"", 1, 2), ("{}{}", 1, 3), ("[1]\n\n x", 3, 2),
      ("{\"é\": 1,\n \"é\": 2}", 2, 2),
      ("NaN", 1, 1), ("[Infinity]", 1, 2), ("-Infinity", 1, 2), ("'a'", 1, 1), ("[1\u{b}]", 1, 3), ("// no\n1", 1, 1),
      ("\u{feff}1", 1, 1),
    ] as [(String, Int, Int)])
  func rejects(text: String, line: Int, column: Int) {
    #expect {
      _ = try JSON(parsing: text)
    } throws: { error in
      (error as? JSONError).map { ($0.line, $0.column) == (line, column) && !$0.message.isEmpty } ?? false
    }
  }

  @Test(
    "rejects text that is not UTF-8",
    arguments: [
      [0x22, 0xFF, 0x22], [0x22, 0xC0, 0x80, 0x22], [0x22, 0xE2, 0x82, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22],
      [0x22, 0xF4, 0x90, 0x80, 0x80, 0x22], [0x5B, 0xE9, 0x5D], [0x22, 0x5C, 0x6E, 0x80, 0x22],
    ] as [[UInt8]])
  func rejectsInvalidUTF8(bytes: [UInt8]) {
    #expect(throws: JSONError.self) { try JSON(parsing: bytes) }
  }

  @Test("limits depth instead of overflowing the stack")
  func limitsDepth() throws {
    let nested = { String(repeating: "[", count: $0) + String(repeating: "]", count: $0) }
    #expect(throws: Never.self) { try JSON(parsing: nested(128)) }
    #expect(throws: JSONError.self) { try JSON(parsing: nested(129)) }
    #expect(throws: JSONError.self) { try JSON(parsing: String(repeating: "{\"a\":[", count: 100_000)) }
    #expect(throws: JSONError.self) { try JSON(parsing: nested(3), options: JSONParsingOptions(maximumDepth: 2)) }
    #expect(throws: Never.self) {
      try JSON(parsing: "[" + Array(repeating: "[]", count: 500).joined(separator: ",") + "]")
    }
  }

  @Test("options admit what Python writes")
  func options() throws {
    let nonFinite = JSONParsingOptions(allowsNonFiniteNumbers: true)
    let numbers = try JSON(parsing: "[NaN, Infinity, -Infinity, -1]", options: nonFinite)
    #expect(numbers[0]?.double?.isNaN == true)
    #expect(numbers[1]?.double == .infinity)
    #expect(numbers[2]?.double == -.infinity)
    #expect(numbers[3] == -1)
    #expect(throws: JSONError.self) { try JSON(parsing: "[Nan]", options: nonFinite) }
    let duplicates = JSONParsingOptions(allowsDuplicateKeys: true)
    #expect(try JSON(parsing: "{\"a\":1,\"b\":2,\"a\":3}", options: duplicates) == ["a": 3, "b": 2])
  }

  @Test("reads decimal numbers to the last bit")
  func exactNumbers() throws {
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<20_000 {
      let value = Double(bitPattern: generator.next())
      guard value.isFinite else { continue }
      #expect(try JSON(parsing: "\(value)").double?.bitPattern == value.bitPattern)
      let short = (value.significand * 1e6).rounded() / 1e4
      #expect(try JSON(parsing: "\(short)").double == short)
    }
    #expect(try JSON(parsing: "-0").double?.sign == .minus)
    #expect(try JSON(parsing: "0.1e1").double == 1)
    #expect(try JSON(parsing: "123456789012345678901234567890.5").double == 123456789012345678901234567890.5)
  }

  @Test("any flipped or cut byte parses or throws, but never traps")
  func damage() {
    let text = Array("{\"é\":[1,-2.5e3,\"\\u00e9\\ud83d\\ude00\",true,null],\"b\":{\"c\":\"日本\"}}".utf8)
    for index in text.indices {
      for bit in 0..<8 {
        var damaged = text
        damaged[index] ^= 1 << bit
        _ = try? JSON(parsing: damaged)
      }
      #expect(throws: JSONError.self) { try JSON(parsing: text[..<index]) }
    }
  }

  @Test("reads megabytes of tokenizer in a fraction of a second")
  func speed() throws {
    var text = "{\"vocab\":{"
    for index in 0..<250_000 { text += (index > 0 ? "," : "") + "\"token\(index &* 7919)é\":\(index)" }
    text += "},\"scores\":["
    for index in 0..<100_000 {
      text += (index > 0 ? "," : "") + "[\"piece\(index)\",-\(index % 19).\(1000 + index % 9000)]"
    }
    text += "]}"
    let bytes = Array(text.utf8)
    var fastest = Duration.seconds(1000)
    for _ in 0..<3 {
      let start = ContinuousClock.now
      let json = try JSON(parsing: bytes)
      fastest = min(fastest, ContinuousClock.now - start)
      #expect(json["vocab"]?.object?.count == 250_000)
      #expect(json["vocab"]?["token\(249_999 &* 7919)é"] == 249_999)
    }
    #expect(fastest < .seconds(2), "\(bytes.count) bytes took \(fastest)")
  }
}
