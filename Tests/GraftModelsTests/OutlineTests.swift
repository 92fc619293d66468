import GraftBatching
import GraftLayers
import GraftModels
import GraftTensors
import Testing

/// Outlines count the elements that are kept between tokens.
@Suite("Outlines of models") struct OutlineTests {
  @Test(arguments: TinyModel.causal) func whatIsKeptIsCounted(_ tiny: TinyModel) throws {
    let model = try tiny.build()
    let outline = try #require(model.outline)
    let state = model.makeState(sequences: 2)
    state.reserve(20)
    let documents: [[Int32]] = [[3, 9, 1, 20, 11, 4], [7, 0, 5, 2, 19, 8]]
    _ = model.hiddenStates(SequenceInput(documents, startingAt: state.lengths), Pass(state: state))
    // Fewer rows than a window's layers set aside: all of them have as many.
    let perToken = outline.stacks.flatMap(\.layers).joined().reduce(0) { $0 + $1.keptPerToken }
    #expect(state.byteCount == 2 * 4 * (20 * perToken + outline.keptPerSequence) && state.byteCount > 0)
    #expect(outline.keptInWindows == 3 * (perToken - outline.keptPerToken))
    #expect(outline.kept(length: 20) == 20 * outline.keptPerToken + outline.keptInWindows + outline.keptPerSequence)
  }

  /// An outlined model takes no memory, and has the shapes of the one that is drawn.
  @Test(arguments: TinyModel.all) func outlinesHaveTheShapes(_ tiny: TinyModel) throws {
    let request = ModelRequest(ArchitectureConfiguration(tiny.configuration, source: "config.json"), task: tiny.task, labels: 3)
    let outlined = try ModelFamily.build(request, in: Scope(outlining: SiteCatalog()))
    let built = try tiny.build()
    #expect(outlined.catalog.parameters.map(\.path) == built.catalog.parameters.map(\.path))
    #expect(outlined.catalog.parameters.map(\.shape) == built.catalog.parameters.map(\.shape))
    #expect(outlined.outline == built.outline)
  }

  /// Learned positions are as many as a sequence may have tokens, however many rows their table has.
  @Test(arguments: TinyModel.all) func learnedPositionsAreThoseOfSequences(_ tiny: TinyModel) throws {
    let model = try tiny.build()
    let positions = try #require(model.outline).positions
    #expect(positions.hasPrefix("learned") == (model.maximumLength != nil))
    if let length = model.maximumLength { #expect(positions == "learned, \(length)") }
  }

  /// The values that a parameter would begin with are computed only where they are drawn.
  @Test func whatIsNotDrawnIsNotComputed() throws {
    var computed = 0
    func values() -> Initializer {
      computed += 1
      return .columns([1, 2])
    }
    _ = try Scope(outlining: SiteCatalog()).parameter("a", [2], values())
    _ = try Linear(Scope(outlining: SiteCatalog()), in: 1, out: 2, bias: true, biasInitializer: values())
    let source = SyntheticSource([(name: "a", shape: [2])], copies: [:])
    _ = try Scope(source: source, catalog: SiteCatalog()).parameter("a", [2], values())
    #expect(computed == 0)
    #expect(try Scope(source: nil, catalog: SiteCatalog()).parameter("a", [2], values()).value.values == [1, 2])
    #expect(computed == 1)
  }
}
