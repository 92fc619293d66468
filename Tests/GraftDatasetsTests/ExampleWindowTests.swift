import GraftBatching
import GraftDatasets
import Testing

@Suite struct ExampleWindowTests {
  private func places(_ windows: [ExampleWindow], scored: Bool) -> [[Int]] {
    windows.map { window in zip(window.places, window.example.isScored).filter { $1 == scored }.map(\.0) }
  }

  @Test func everyTokenIsScoredOnceBehindHalfAWindow() {
    var example = EncodedExample(tokens: (0..<11).map(Int32.init))
    example.isScored[0] = false
    let windows = example.windows(of: 4)
    #expect(windows.map(\.places) == [[0, 1, 2, 3], [2, 3, 4, 5], [4, 5, 6, 7], [6, 7, 8, 9], [8, 9, 10]])
    #expect(places(windows, scored: true) == [[1, 2, 3], [4, 5], [6, 7], [8, 9], [10]])
    for window in windows { #expect(window.example.tokens == window.places.map { Int32($0) }) }
  }

  @Test(arguments: [2, 3, 5, 8, 63, 64, 100]) func whateverTheLength(length: Int) {
    for count in [1, 2, 5, 64, 65, 199] {
      let windows = EncodedExample(tokens: (0..<count).map(Int32.init)).windows(of: length)
      #expect(places(windows, scored: true).flatMap { $0 } == Array(0..<count))
      #expect(windows.allSatisfy { $0.places.count <= length })
      // A token behind the first window has at least half of a window before it.
      for window in windows.dropFirst() {
        let first = window.example.isScored.firstIndex(of: true) ?? 0
        #expect(first >= length / 2)
      }
    }
  }

  @Test func whatFitsIsLeftAlone() {
    let example = EncodedExample(tokens: [1, 2, 3])
    for windows in [example.windows(of: 3), example.windows(of: nil)] {
      #expect(windows.map(\.example) == [example] && windows[0].places == [0, 1, 2])
    }
  }

  /// Around every part of an encoder's text stand the tokens that stood around the whole.
  @Test func partsOfAnEncodersTextAreFramed() {
    let ignored = Batch.ignoredTarget
    let example = EncodedExample(
      tokens: [90, 0, 1, 2, 3, 4, 5, 91], isScored: [false, true, true, true, true, true, true, false],
      tokenLabels: [ignored, 0, 1, 2, 3, 4, 5, ignored])
    let windows = example.windows(of: 6, frame: (1, 1))
    #expect(windows.map(\.example.tokens) == [[90, 0, 1, 2, 3, 91], [90, 2, 3, 4, 5, 91]])
    let labels: [[Int32]] = [[ignored, 0, 1, 2, 3, ignored], [ignored, ignored, ignored, 4, 5, ignored]]
    #expect(windows.map { $0.example.tokenLabels ?? [] } == labels)
    #expect(windows.flatMap(\.example.isScored).count { $0 } == 6)
  }
}
