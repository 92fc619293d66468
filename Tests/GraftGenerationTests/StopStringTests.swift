import GraftGeneration
import Testing

@Suite struct StopStringTests {
  /// What is shown of pieces, one by one, and in the end.
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
}
