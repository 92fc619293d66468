import Foundation
import GraftReports
import Testing

@Suite struct HTMLReportTests {
  private let report = TrainingReport(
    title: "run <1> & \"two\"", subtitle: "LoRA on m", highlights: [("Loss", "0.5")], summary: [("Steps", "3")],
    points: (1...3).map {
      .init(step: $0, epoch: Double($0) / 3, loss: 3 / Double($0), learningRate: 1e-4, gradientNorm: 1)
    },
    evaluations: [
      .init(step: 3, epoch: 1, loss: 1.25, metrics: [("accuracy", 0.5)]), .init(step: 4, epoch: 1, loss: 1.3, metrics: [("accuracy", 0.625)]),
      .init(step: 6, epoch: 2, loss: 1.5, metrics: [("eval_exact_match", 0.25), ("accuracy", 0.75)]),
    ],
    samples: [.init(prompt: "1 + 1 =", expected: " 2", before: "<script>alert(1)</script>", after: " 2")],
    notes: ["3 examples were cut."], recipe: "model:\n  path: \"a<b\"\n", machine: [("Threads", "2")],
    commands: ["graft train r.yaml"])

  @Test func thePageStandsAlone() {
    let page = report.html()
    #expect(page.hasPrefix("<!doctype html>"))
    #expect(page.contains("default-src 'none'"))
    for forbidden in ["<script", "http://", "https://", "src=", "@import", "url(", "<link"] {
      #expect(!page.contains(forbidden), "\(forbidden)")
    }
    #expect(
      page.contains("prefers-color-scheme: dark") && page.contains("@media print")
        && page.contains("width=device-width"))
  }

  @Test func textIsEscaped() {
    let page = report.html()
    #expect(page.contains("<h1>run &lt;1&gt; &amp; &quot;two&quot;</h1>"))
    #expect(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"))
    #expect(page.contains("path: &quot;a&lt;b&quot;"))
    #expect(HTML.text("a\u{1}\n'b'").description == "a\u{FFFD}\n&#39;b&#39;")
  }

  @Test func everyPartIsThere() {
    let page = report.html()
    for title in ["Notes", "Curves", "Summary", "Samples", "Recipe", "Machine", "Reproduce"] {
      #expect(page.contains("<h2>\(title)</h2>"))
    }
    for title in ["Loss", "Learning rate", "Gradient norm", "Accuracy"] {
      #expect(page.contains("<span>\(title)</span>"))
    }
    #expect(!page.contains("Tokens per second"))
    // A single value is in the table and has no plot.
    #expect(!page.contains("<span>Exact match</span>"))
    #expect(page.contains("evaluation from 1.25 at step 3 to 1.5 at step 6"))
    // A metric that was not measured leaves its cell empty.
    let cells = ["1.5000", "75.0 %", "25.0 %"].map { "<td class=\"number\">\($0)</td>" }.joined()
    #expect(page.contains("<td class=\"number\">50.0 %</td><td class=\"number\"></td></tr>") && page.contains(cells))
    #expect(page.contains("<tr class=\"best\"><th scope=\"row\" class=\"number\">3</th>"))
  }

  @Test func loadsOfExpertsAreColumns() {
    #expect(!report.html().contains("Expert load"))
    var routed = report
    routed.points = (1...3).map { .init(step: $0, epoch: 1, loss: 1, learningRate: 1e-4, others: [("aux_loss", 2 + Double($0)), ("z_loss", 1)]) }
    routed.expertLoads = (0..<14).map { .init(layer: "layer<\($0)>", shares: $0 == 1 ? [0.5, 0.25, 0.25, 0] : [0.25, 0.25, 0.25, 0.25]) }
    routed.expertLoadSteps = 1
    let page = routed.html()
    #expect(
      page.contains("<h2>Expert load</h2>") && page.contains("rows, in per cent, that each expert was sent in the last 1 step.")
        && page.contains("<span>Aux loss</span>"))
    #expect(page.contains("<summary>2 more layers</summary>"))
    #expect(page.contains("layer&lt;1&gt;: expert 0 has 50 % of the rows, expert 3 has 0 % of the rows, 25 % are even"))
    let columns = page.matches(of: /<path class="bar s0" d="([^"]*)"\/>/).map(\.output.1)
    // Four columns each, from the bottom and back; the even ones half as high as the highest, none for nothing.
    #expect(columns.count == 14 && columns.allSatisfy { $0.matches(of: /Z/).count == 4 })
    let heights = columns[1].matches(of: /V([0-9.]+)h[0-9.]+V([0-9.]+)/).map { (Double($0.output.2) ?? 0) - (Double($0.output.1) ?? 0) }
    #expect(heights.count == 4 && abs(heights[0] - 2 * heights[1]) < 0.25 && heights[3] == 0 && heights[0] > 60)
  }

  @Test func elementsAreClosedInOrder() {
    var open: [Substring] = []
    let void: Set<Substring> = ["meta", "!doctype"]
    for tag in report.html().matches(of: /<(\/?)([a-z0-9!]+)[^>]*?(\/?)>/)
    where tag.output.3.isEmpty && !void.contains(tag.output.2) {
      if tag.output.1.isEmpty { open.append(tag.output.2) } else { #expect(open.popLast() == tag.output.2) }
    }
    #expect(open.isEmpty)
  }

  @Test func aRunWithoutMeasurementsStillReports() {
    let page = TrainingReport(title: "t", subtitle: "", points: [], recipe: "a: 1").html()
    #expect(page.contains("<h2>Recipe</h2>") && !page.contains("<h2>Curves</h2>"))
  }
}

@Suite struct PlotTests {
  @Test func curvesBreakWhereValuesAreNotFinite() throws {
    let points = [1, .nan, 2, 3].enumerated().map { LinePlot.Point(x: Double($0), y: $1) }
    let svg = try #require(LinePlot(title: "t", series: [.init("a", points)]).html).description
    let path = try #require(svg.firstMatch(of: /class="series s0 d0" d="([^"]*)"/)).output.1
    #expect(path.filter { $0 == "M" }.count == 2 && path.filter { $0 == "L" }.count == 1)
    #expect(!svg.contains("nan"))
    #expect(LinePlot(title: "t", series: [.init("a", [.init(x: 0, y: .infinity)])]).html == nil)
  }

  @Test func longCurvesAreThinnedWithoutLosingTheirSpikes() throws {
    let points = (0..<10_000).map { LinePlot.Point(x: Double($0), y: $0 == 4321 ? 100 : 0) }
    let svg = try #require(LinePlot(title: "t", series: [.init("a", points)]).html).description
    let path = try #require(svg.firstMatch(of: /class="series s0 d0" d="([^"]*)"/)).output.1
    #expect(path.filter { $0 == "L" || $0 == "M" }.count <= 1000)
    #expect(path.contains(" 10.0"))  // the top of the plot
  }

  @Test func scalesHoldTheirValuesOnRoundTicks() {
    let scale = PlotScale(holding: [0.13, 0.87], reachesTicks: true)
    #expect(scale.tickLabels == ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"])
    #expect(scale.position(of: 0.5) == 0.5)
    #expect(PlotScale(holding: [0, 2e-4], reachesTicks: true).tickLabels == ["0", "5e-5", "1e-4", "1.5e-4", "2e-4"])
    #expect(
      PlotScale(holding: [1, 2e5], reachesTicks: true, isLogarithmic: true).tickLabels == [
        "1", "10", "100", "1000", "10k", "100k", "1M",
      ])
    let flat = PlotScale(holding: [3, 3], reachesTicks: true)
    #expect(flat.lower < 3 && flat.upper > 3)
    #expect(PlotScale(holding: [], reachesTicks: true).ticks.count > 1)
  }

  @Test func figuresAreShort() {
    #expect(
      [0, 1, 1.5, 0.123456, 1234, 12_345, 1_234_567, 2e-4, 1.25e-5, -3.14159, 1e30].map { Figure.compact($0) }
        == ["0", "1", "1.5", "0.123", "1234", "12.3k", "1.23M", "2e-4", "1.25e-5", "-3.14", "1e30"])
    #expect(Figure.grouped(1_234_567) == "1,234,567" && Figure.grouped(-1000) == "−1,000" && Figure.grouped(12) == "12")
    #expect(Figure.bytes(612_000_000) == "612 MB" && Figure.bytes(12) == "12 bytes")
    #expect(
      Figure.duration(seconds: 4.21) == "4.21 s" && Figure.duration(seconds: 200) == "3 min 20 s"
        && Figure.duration(seconds: 7500) == "2 h 5 min")
  }

  @Test func barsAndPointsAreDescribed() throws {
    let bars = try #require(
      BarPlot(title: "Accuracy", unit: .percent, bars: [.init("lora", 0.5, interval: 0.4...0.6), .init("x", .nan)]).html
    ).description
    #expect(bars.contains("aria-label=\"Accuracy: lora 50.0 %\"") && bars.contains("lora: 50.0 % (40.0 % – 60.0 %)"))
    #expect(bars.contains("class=\"whisker\""))
    let points = try #require(
      ScatterPlot(
        title: "P", xLabel: "n", isLogarithmic: true, points: [.init("a", x: 1e6, y: 1), .init("b", x: 1e6, y: 1)]
      ).html
    ).description
    let baselines = points.matches(of: /class="name" x="[^"]*" y="([^"]*)"/).map(\.output.1)
    #expect(baselines.count == 2 && baselines[0] != baselines[1])
  }

  /// Points as trade-offs have them: some on one another, some in a heap at the bottom, some at the edges.
  @Test func namesOfPointsDoNotCollide() {
    let area = LabelPlacement.Box(left: 40, top: 0, right: 420, bottom: 242)
    typealias Point = (name: String, x: Double, y: Double)
    let heap = (0..<6).map { (place: Int) -> Point in ("prompt num_virtual_tokens=\(place)", 80 + 3 * Double(place), 240) }
    let top = (0..<6).map { (place: Int) -> Point in ("LoRA r=\(1 << place)", 250 + 20 * Double(place), 12 + Double(place % 2)) }
    let edges: [Point] = [("first", 40, 120), ("same place", 40, 120), ("at the right edge", 406, 120)]
    let points: [Point] = heap + top + edges
    let labels = LabelPlacement.labels(for: points, within: area)
    #expect(labels.map(\.name) == points.map(\.name))
    for (index, label) in labels.enumerated() {
      #expect(area.holds(label.box), "\(label.name)")
      for other in labels[..<index] { #expect(!label.box.overlaps(other.box), "\(label.name) on \(other.name)") }
      for point in points {
        let marker = LabelPlacement.Box(left: point.x - 5, top: point.y - 5, right: point.x + 5, bottom: point.y + 5)
        #expect(!label.box.overlaps(marker), "\(label.name) on \(point.name)")
      }
      let point = points[index]
      let across = max(label.left - point.x, point.x - label.right, 0)
      let down = max(label.top - point.y, point.y - label.bottom, 0)
      let reach = hypot(across, down)
      #expect(reach < 14 || label.leader != nil, "\(label.name) is far from its point without a line")
    }
  }

  /// The seventh curve has the first one's colour, but not its dashes.
  @Test func noTwoCurvesLookTheSame() throws {
    let series = (0..<12).map { LinePlot.Series("c\($0)", [.init(x: 0, y: Double($0)), .init(x: 1, y: 0)]) }
    let svg = try #require(LinePlot(title: "t", series: series).html).description
    let classes = svg.matches(of: /<path class="(series [^"]*)" d="M1 6H27"/).map(\.output.1)
    #expect(classes.count == 12 && Set(classes).count == 12)
  }

  @Test func longNamesOfBarsAreWhole() throws {
    let svg = try #require(BarPlot(title: "t", bars: [.init("prompt, from the vocabulary", 1)]).html).description
    #expect(svg.contains(">prompt, from the</text>") && svg.contains(">vocabulary</text>"))
  }
}
