import GraftRegularExpressions
import Testing

@Suite("Regular expressions")
struct RegularExpressionTests {
  /// The answers of Python 3.11's `re`: true where `fullmatch`, and where `match`, finds something.
  @Test(
    "mean what they mean to Python",
    arguments: [
      (#".*\bq_proj"#, "model.layers.0.self_attn.q_proj", true, true), (#".*\bproj"#, "model.q_proj", false, false),
      (#".*(?<!self_attn\.)q_proj"#, "a.self_attn.q_proj", false, false), (#".*(?<=attn\.)q_proj"#, "a.self_attn.q_proj", true, true),
      (#"a|ab"#, "ab", true, true), (#"q_proj$"#, "q_proj\n", false, true), (#"q_proj\Z"#, "q_proj\n", false, false),
      (#"^b"#, "a\nb", false, false), (#"(?m)a\n^b"#, "a\nb", true, true), (#"a.b"#, "a\nb", false, false), (#"(?s)a.b"#, "a\nb", true, true),
      (#"(?i)Q_PROJ"#, "q_proj", true, true), (#"(?i:q)_PROJ"#, "q_proj", false, false), (#"(?x) a b # c"#, "ab", true, true),
      (#"a{,2}"#, "aa", true, true), (#"a{,}"#, "aaa", true, true), (#"a{2}+"#, "aaaa", false, true), (#"a++a"#, "aaa", false, false),
      (#"(?>a|ab)c"#, "abc", false, false), (#"[[a]"#, "[", true, true), (#"[a&&b]"#, "&", true, true), (#"[]a]"#, "]", true, true),
      (#"(?P<name>q)_proj"#, "q_proj", true, true), (#"\w+\.\d+"#, "layers.10", true, true), (#"(?:a|b)*?c"#, "abac", true, true),
      (#""#, "", true, true), (#""#, "a", false, true), (#"é"#, "é", true, true), (#".+(mlp|attn)(?!.*gate).*"#, "x.mlp.up_proj", true, true),
      (#".+(mlp|attn)(?!.*gate).*"#, "x.mlp.gate_proj", false, false), (#"(?:(?:a*)*)*b"#, "aab", true, true), (#"(a*)+"#, "b", false, true),
    ])
  func python(pattern: String, text: String, isWhole: Bool, isAtStart: Bool) throws {
    #expect(try RegularExpression(python: pattern, isWhole: true).matches(text) == isWhole)
    #expect(try RegularExpression(python: pattern, isWhole: false).matches(text) == isAtStart)
  }

  @Test(
    "that Python refuses, or that refer back, are refused",
    arguments: [
      #"*q"#, #"a**"#, #"(a"#, #"a)"#, #"[a"#, #"\h"#, #"\p{L}"#, #"\z"#, #"(?<=a|bb)c"#, #"(?<n>a)"#, #"(a)\1"#, #"(?P=n)"#, #"a{3,2}"#, "\\",
    ])
  func refused(pattern: String) {
    #expect(throws: RegularExpressionError.self) { try RegularExpression(python: pattern, isWhole: true) }
  }

  /// Without its memory each of these takes longer than the universe has been there.
  @Test(
    "take time in proportion to the text, whatever the pattern",
    arguments: [
      (#"(a+)+$"#, "b"), (#"(a|a)*b"#, "c"), (#"(.+.+)+zz"#, ""), (#"(a*)*b"#, "c"), (#"(a?){40}a{40}c"#, ""), (#"(?:a|aa)+$"#, "b"),
      (#"(?=(a+)+b)a*"#, "c"), (#"(?:(?:a|a)*?)*?b"#, "c"), (#"(a|a|b*)*c"#, "d"), (#"((a{1,3}){1,3}){1,9}x"#, ""), (#"(.*?.*?)*?zz"#, ""),
    ])
  func hostile(pattern: String, end: String) throws {
    let expression = try RegularExpression(python: pattern, isWhole: true)
    let text = String(repeating: "a", count: 20_000) + end
    let time = ContinuousClock().measure { #expect(!expression.matches(text)) }
    #expect(time < .seconds(2))
  }

  @Test("remembered failures change no answer")
  func memory() throws {
    // Enough going back to start remembering, then a match that needs choices of the same places.
    let noise = String(repeating: "a", count: 400)
    for (pattern, tail, expected) in [
      (#"(?:(a+)+c|(a|a)*b)"#, "b", true), (#"(?:(a+)+c|(a|a)*b)"#, "d", false), (#"(?=(a|a)*b)(a*)*b"#, "b", true),
      (#"(?!(a+)+c)a*b"#, "b", true), (#"(?:(a+)+c)?(?:(?:a?)*?)*b"#, "b", true),
    ] {
      #expect(try RegularExpression(python: pattern, isWhole: true).matches(noise + tail) == expected, "\(pattern)")
    }
  }

  @Test("nothing is repeated ten thousand times, nor anything repeated without end")
  func bombs() throws {
    #expect(try RegularExpression(python: "(((){10000}){10000}){10000}", isWhole: true).matches(""))
    for pattern in ["((a{100}){1000}){1000}", "a" + String(repeating: "?", count: 100_000), String(repeating: "(", count: 100_000)] {
      #expect(throws: RegularExpressionError.self) { _ = try RegularExpression(python: pattern, isWhole: true) }
    }
  }
}
