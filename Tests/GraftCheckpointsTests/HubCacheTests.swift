import GraftCheckpoints
import GraftTestSupport
import Testing

/// Models that Hugging Face's tools have downloaded are found by their names.
@Suite struct HubCacheTests {
  private let folder: TemporaryDirectory

  init() throws { folder = try TemporaryDirectory() }

  private var cache: HubCache { HubCache(environment: ["HF_HUB_CACHE": folder.path, "HOME": "/home/me"]) }

  private func put(_ model: String, _ revision: String, main: String? = nil) throws {
    try folder.write("{}".utf8, to: "models--\(model)/snapshots/\(revision)/config.json")
    if let main { try folder.write("\(main)\n".utf8, to: "models--\(model)/refs/main") }
  }

  /// As huggingface_hub's constants have it.
  @Test(
    arguments: [
      (["HF_HUB_CACHE": "/c", "HF_HOME": "/h"], "/c"), (["HUGGINGFACE_HUB_CACHE": "/old", "HF_HOME": "/h"], "/old"), (["HF_HOME": "/h"], "/h/hub"),
      (["HF_HOME": "~/models"], "/home/me/models/hub"), (["XDG_CACHE_HOME": "/x"], "/x/huggingface/hub"),
      (["HF_HOME": ""], "/home/me/.cache/huggingface/hub"),
    ] as [([String: String], String)])
  func theEnvironmentNamesTheFolder(environment: [String: String], folder: String) {
    #expect(HubCache(environment: environment.merging(["HOME": "/home/me"]) { first, _ in first }).folder == folder)
  }

  @Test func theRevisionOfTheMainBranchIsTaken() throws {
    try put("Qwen--Qwen2.5-0.5B", "aaaa", main: "bbbb")
    try put("Qwen--Qwen2.5-0.5B", "bbbb")
    try put("gpt2", "cccc")
    #expect(try cache.directory(of: "Qwen/Qwen2.5-0.5B") == folder.path + "/models--Qwen--Qwen2.5-0.5B/snapshots/bbbb")
    // Without a branch the only revision is meant.
    #expect(try cache.directory(of: "gpt2") == folder.path + "/models--gpt2/snapshots/cccc")
    #expect(cache.models == ["Qwen/Qwen2.5-0.5B", "gpt2"])
    try put("gpt2", "dddd")
    #expect(cache.snapshot(of: "gpt2") == nil)
  }

  /// A reference must not lead out of the cache.
  @Test func referencesStayInTheCache() throws {
    try folder.write("{}".utf8, to: "other/config.json")
    try put("a--b", "aaaa", main: "../../other")
    #expect(cache.snapshot(of: "a/b") == folder.path + "/models--a--b/snapshots/aaaa")
    #expect(cache.snapshot(of: "../other") == nil && cache.snapshot(of: "a/../b") == nil)
  }

  @Test func whatIsMissingIsAnsweredWithTheCommand() throws {
    try put("gpt2", "cccc", main: "cccc")
    expectError(.missing, "hf download Qwen/Qwen2.5-0.5B") { try cache.directory(of: "Qwen/Qwen2.5-0.5B") }
    expectError(.missing, "it has gpt2") { try cache.directory(of: "Qwen/Qwen2.5-0.5B") }
    // Anything that is no name of the hub, or lies in a folder that is there, is a path.
    for path in ["Data/models/none", "/none/at", "none", folder.path] { #expect(try cache.directory(of: path) == path) }
  }
}
