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
    ("VBLORA", 1e-3), ("UNILORA", 5e-3), ("BOFT", 1e-3), ("HRA", 1e-3), ("MISS", 5e-4), ("SHIRA", 1e-3), ("SUPERTUNING", 1e-3), ("FOURIERFT", 5e-2),
    ("WAVEFT", 1e-2),
    ("C3A", 1e-1), ("RANDLORA", 1e-3), ("PVERA", 4e-3), ("TINYLORA", 1e-3), ("GRALORA", 5e-4), ("HIRA", 1e-3), ("DELORA", 1e-3),
    ("GLORA", 1e-3), ("ROAD", 1e-3), ("DEFT", 1e-3), ("PEANUT", 1e-3), ("LILY", 1e-3), ("BEFT", 1e-3), ("MULTITASK_PROMPT_TUNING", 1e-2),
    ("CARTRIDGE", 2e-2),
    ("TRAINABLE_TOKENS", 1e-3), ("STATE_TUNING", 1e-2),
  ])
  func `every method has the learning rate that suits it`(_ name: String, _ rate: Double) throws {
    #expect(try #require(MethodCatalog.type(named: name)).defaultLearningRate == rate)
  }
}
