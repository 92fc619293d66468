import GraftGeneration
import Testing

@Suite struct StopStringTests {
  /// The texts that are shown of pieces, one by one, and in the end.
  private func shown(_ pieces: [String], stops: [String]) -> (pieces: [String], rest: String, hasStopped: Bool) {
    var filter = StopStrings(stops)
    let shown = pieces.map { filter.append($0) }
    return (shown, filter.finish(), filter.hasStopped)
  }

  @Test func nothingOfAStopStringIsShown() {
    let cut = shown(["Hello", " wor", "ld\n", "\nUs", "er: hi"], stops: ["\n\nUser:"])
    #expect(cut.pieces == ["Hello", " wor", "ld", "", ""])
    #expect(cut.rest.isEmpty && cut.hasStopped)
    let inside = shown(["one STOP two"], stops: ["STOP"])
    #expect(inside.pieces == ["one "] && inside.hasStopped)
  }

  @Test func whatOnlyBeganLikeOneIsShownLater() {
    let passed = shown(["a\n", "\nUs", "ual"], stops: ["\n\nUser:"])
    #expect(passed.pieces == ["a", "", "\n\nUsual"])
    #expect(!passed.hasStopped)
    let open = shown(["a\n", "\nUse"], stops: ["\n\nUser:"])
    #expect(open.pieces == ["a", ""] && open.rest == "\n\nUse")
    // The held-back text starts again within itself.
    #expect(shown(["aab"], stops: ["ab"]).pieces == ["a"])
    #expect(shown(["a", "a", "b"], stops: ["ab"]).pieces == ["", "a", ""])
  }

  @Test func theFirstOfSeveralEnds() {
    #expect(shown(["x, y. z"], stops: [".", ","]).pieces == ["x"])
    #expect(shown(["abc", "d"], stops: ["bcd", "bcx"]).pieces == ["a", ""])
  }

  @Test func charactersStayWhole() {
    let cut = shown(["Grüße ", "🌍", "é!"], stops: ["é"])
    #expect(cut.pieces == ["Grüße ", "🌍", ""] && cut.hasStopped)
    // "ê" shares the first byte of "é".
    #expect(shown(["ê"], stops: ["é"]).pieces == ["ê"])
  }

  @Test func withoutStopStringsAllIsShown() {
    #expect(shown(["a", "b"], stops: []).pieces == ["a", "b"])
    #expect(shown(["a", "b"], stops: [""]).pieces == ["a", "b"])
  }

  /// Special tokens are compared, and not shown.
  @Test func whatIsComparedNeedNotBeShown() {
    var filter = StopStrings(["<|end|>\n"])
    #expect(filter.append("a b", showing: "a b") == "a b")
    #expect(filter.append("<|end|>", showing: "") == "")
    #expect(filter.append(" c", showing: " c") == " c")
    #expect(filter.append("<|end|>", showing: "") == "")
    #expect(filter.append("\nd", showing: "\nd") == "" && filter.hasStopped)
    #expect(filter.finish().isEmpty)
    // A stop string that starts in words and ends in a special token.
    filter = StopStrings(["b<|end|>"])
    #expect(filter.append("a b", showing: "a b") == "a ")
    #expect(filter.append("<|end|>", showing: "") == "" && filter.hasStopped)
    // The first word loses its space where a special token before it is left out.
    filter = StopStrings(["lo w"])
    #expect(filter.append("<s>", showing: "") == "")
    #expect(filter.append(" hello", showing: "hello") == "hel")
    #expect(filter.append(" world", showing: " world") == "" && filter.hasStopped)
    filter = StopStrings(["<s> he"])
    #expect(filter.append("<s>", showing: "") + filter.append(" hello", showing: "hello") == "" && filter.hasStopped)
  }
}
