import Foundation
import GraftTestSupport
import Testing

/// Arguments that cannot be understood are one line, as all errors are.
@Suite struct ArgumentTests {
  @Test(arguments: [
    (["trian", "Recipes/quickstart.yaml"], "error: trian: is no command; did you mean 'train'?"),
    (["train", "--modle", "x"], "error: Unknown option '--modle'. Did you mean '--model'?; see: graft train --help"),
    (["train"], "error: name a recipe, or --model DIR and --data FILE; see: graft train --help"),
    (["train", "--model", "x"], "error: name a recipe, or --model DIR and --data FILE; see: graft train --help"),
    (["merge"], "error: Missing expected argument '--output <path>'; see: graft merge --help"),
    (
      ["train", "r.yaml", "--resume", "--overwrite"],
      "error: --overwrite: begins anew what --resume would go on with; keep one of both"
    ),
  ])
  func complaintsAreOneLine(arguments: [String], line: String) throws {
    let result = try Graft.run(arguments)
    #expect(result.code == 64 && result.errors == line + "\n")
  }
}
