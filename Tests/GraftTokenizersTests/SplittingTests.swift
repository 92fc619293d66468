import GraftJSON
import GraftTokenizers
import Testing

/// The pieces that a pre-tokenizer makes: a model that knows exactly them shows where the cuts are.
private func pieces(of text: String, cutInto expected: [String], by preTokenizer: JSON) throws -> [String] {
  var vocabulary = JSONObject()
  for piece in expected + ["<unk>"] where !vocabulary.contains(piece) { vocabulary[piece] = .integer(vocabulary.count) }
  let tokenizer = try Tokenizer(
    json: [
      "pre_tokenizer": preTokenizer,
      "model": ["type": "WordLevel", "unk_token": "<unk>", "vocab": .object(vocabulary)],
    ],
    configuration: TokenizerConfiguration(), source: "tokenizer.json")
  return tokenizer.encoding(of: text).tokens
}

private func split(_ pattern: String, _ behavior: String = "Isolated", invert: Bool = false) -> JSON {
  ["type": "Split", "pattern": ["Regex": .string(pattern)], "behavior": .string(behavior), "invert": .bool(invert)]
}

private let gpt2 = #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#
private let llama3 =
  #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
private let qwen2 =
  #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#

@Suite struct SplittingTests {
  /// Published pieces of the three common patterns, with `|` between pieces.
  @Test(arguments: [
    (gpt2, "Hello  world's 12345, it'LL\n\n  foo\tbar...  ", "Hello| | world|'s| 12345|,| it|'|LL|\n\n | foo|\t|bar|...|  "),
    (llama3, "Hello  world's 12345, it'LL\n\n  foo\tbar...  ", "Hello| | world|'s| |123|45|,| it|'LL|\n\n| | foo|\tbar|...|  "),
    (qwen2, "Hello  world's 12345, it'LL\n\n foo", "Hello| | world|'s| |1|2|3|4|5|,| it|'LL|\n\n| foo"),
    (gpt2, "a\r\n b \n\n\nc", "a|\r\n| b| \n\n|\n|c"),
    (llama3, "a\r\n b \n\n\nc", "a|\r\n| b| \n\n\n|c"),
    (gpt2, "naïve café 日本語 ①½", "naïve| café| 日本語| ①½"),
    (llama3, "naïve café 日本語 ①½", "naïve| café| 日本語| |①½"),
    (qwen2, "①½", "①|½"),
  ])
  func splitsLikeTheFamilies(pattern: String, text: String, expected: String) throws {
    let expected = expected.split(separator: "|").map(String.init)
    #expect(try pieces(of: text, cutInto: expected, by: split(pattern)) == expected)
  }

  @Test(arguments: [
    ("Removed", "the|final|countdown"),
    ("Isolated", "the|-|final|-|-|countdown"),
    ("MergedWithPrevious", "the-|final-|-|countdown"),
    ("MergedWithNext", "the|-final|-|-countdown"),
    ("Contiguous", "the|-|final|--|countdown"),
  ])
  func treatsDelimitersByBehavior(behavior: String, expected: String) throws {
    let expected = expected.split(separator: "|").map(String.init)
    #expect(try pieces(of: "the-final--countdown", cutInto: expected, by: split("-", behavior)) == expected)
  }

  /// Expressions beyond those of known tokenizers: text, pattern, its matches.
  @Test(arguments: [
    ("aaab", "a+?b|a", "aaab"), ("foobar", "foo(?=bar)", "foo"), ("foobaz", "foo(?!bar)", "foo"),
    ("xay bay", "(?<=b)a", "a"), ("xay bay", "(?<!b)a", "a"), ("aaa", "a{2}", "aa"), ("abcabc", "(?:abc){2}", "abcabc"),
    ("aab", "(?>a+)ab|b", "b"), ("aab", "a++ab|b", "b"), ("ABc", "(?i:abc)", "ABc"), ("ſ", "(?i)s", "ſ"),
    ("a.b", #"\."#, "."), ("é", #"\u00e9"#, "é"), ("x-1", #"[\w&&[^\d]]"#, "x"), ("a\nb", "^b", "b"), ("日本", #"\p{Han}+"#, "日本"),
    ("aXbX", #"\p{Lu}"#, "X|X"), ("aX", #"\P{^Lu}"#, "X"), ("x{1", "x{1", "x{1"), ("abab", "(?:ab?)*b", "abab"),
    ("word up", #"\bup\b"#, "up"), ("a]b", "[]]", "]"), ("tab\t", "[[:space:]]", "\t"), ("aaaa", "(a|aa){2}", "aa|aa"),
  ])
  func matchesExpressions(text: String, pattern: String, expected: String) throws {
    let expected = expected.split(separator: "|").map(String.init)
    #expect(try pieces(of: text, cutInto: expected, by: split(pattern, "Removed", invert: true)) == expected)
  }

  @Test(arguments: ["(", "a)", "[a", "*a", #"\p{Klingon}"#, #"(a)\1"#, "(?<=a+)b", "a{9999999}", "[z-a]"])
  func refusesExpressionsItCannotRun(pattern: String) {
    #expect(throws: TokenizerError.self) { try pieces(of: "", cutInto: [], by: split(pattern)) }
  }
}
