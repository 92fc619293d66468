import GraftAdapters
import GraftTestSupport
import Testing

/// The documentation of methods is that of the code.
@Suite struct DocumentationTests {
  @Test func `the table of methods is the catalogue's`() throws {
    #expect(try Repository.text("Documentation/Methods.md") == MethodCatalog.documentation)
    for name in MethodCatalog.builtIn.map({ $0.name }) { #expect(MethodCatalog.documentation.contains("| `\(name)` |")) }
  }

  @Test(arguments: [
    ("FULL", 2e-5), ("LORA", 2e-4), ("PREFIX_TUNING", 5e-3), ("PROMPT_TUNING", 1e-2), ("ADAPTER", 1e-3), ("IA3", 5e-3), ("ADAPTION_PROMPT", 5e-3),
    ("P_TUNING", 1e-3), ("LN_TUNING", 1e-3), ("BITFIT", 1e-3), ("ADALORA", 2e-3), ("VERA", 4e-3), ("LOHA", 1e-3), ("LOKR", 1e-3), ("OFT", 1e-3),
    ("VBLORA", 1e-3),
    ("TRAINABLE_TOKENS", 1e-3), ("STATE_TUNING", 1e-2),
  ])
  func `every method has the learning rate that suits it`(_ name: String, _ rate: Double) throws {
    #expect(try #require(MethodCatalog.type(named: name)).defaultLearningRate == rate)
  }
}
