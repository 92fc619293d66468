import GraftJSON
import Testing

@Suite("Quoted text")
struct TextQuotingTests {
  @Test(
    "escapes what its language has escapes for",
    arguments: [
      ("plain é", #""plain é""#, #""plain \u00e9""#), ("a\"b\\c", #""a\"b\\c""#, #""a\"b\\c""#),
      ("\u{8}\t\n\u{C}\r\u{1}", #""\b\t\n\f\r\u0001""#, #""\b\t\n\f\r\u0001""#), ("😀\u{7F}", "\"😀\u{7F}\"", #""\ud83d\ude00\u007f""#),
      ("", "\"\"", "\"\""),
    ])
  func json(text: String, unicode: String, ascii: String) throws {
    #expect(TextQuoting.json.quoted(text) == unicode)
    #expect(TextQuoting.jsonInASCII.quoted(text) == ascii)
    #expect(try JSON(parsing: unicode).string == text && JSON(parsing: ascii).string == text)
  }

  @Test("escapes the quote it stands between, and no other")
  func quotes() {
    #expect(TextQuoting.json.quoted("it's \"so\"", by: "'") == #"'it\'s "so"'"#)
  }
}
