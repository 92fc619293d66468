import Foundation
import GraftBatching
import GraftJSON
import GraftLayers
import GraftModels
import GraftRecipes
import GraftSessions
import GraftTestSupport
import Testing

/// Drawings of architectures from configurations alone.
@Suite struct ArchitectureTests {
  private static let families = ModelFamily.registry.names.sorted()

  /// A model that is only outlined has the parameters of the one that is built, and says what each of its layers is.
  @Test(arguments: families) func everyFamilyIsDrawn(_ modelType: String) throws {
    let configuration = TinyConfiguration.any(modelType)
    let json = try Architecture(of: configuration, source: "config.json").json
    let request = ModelRequest(ArchitectureConfiguration(configuration, source: "config.json"), task: LearningTask(of: configuration))
    let model = try ModelFamily.build(request, in: Scope(source: nil, catalog: SiteCatalog()))
    #expect(json["parameters"]?.int == model.catalog.parameterCount)
    #expect(json["model_type"] == .string(modelType))
    let stacks = try #require(json["stacks"]?.array, "\(modelType) does not say what it is made of")
    #expect(!stacks.isEmpty && stacks.allSatisfy { $0["layers"] == 2 })
    for stack in stacks {
      for sublayer in (stack["groups"]?.array ?? []).flatMap({ $0["sublayers"]?.array ?? [] }) {
        // The name of a type in place of words, and nothing to know of it, is what a sublayer has that does not say more.
        #expect(sublayer["kind"]?.string?.first?.isLowercase == true && (sublayer.object?.count ?? 0) > 2, "\(modelType): \(sublayer.serialized())")
      }
    }
    #expect(Architecture(json: json).text.contains("layers"))
  }

  private static let mixtral: JSON = [
    "model_type": "mixtral", "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32,
    "num_key_value_heads": 8, "num_local_experts": 8, "num_experts_per_tok": 2, "vocab_size": 32000, "tie_word_embeddings": false,
  ]

  /// The published shapes of DeepSeek-V2 and V3.
  private static func deepSeek(_ keys: JSON) -> JSON {
    (["q_lora_rank": 1536, "kv_lora_rank": 512, "qk_rope_head_dim": 64, "qk_nope_head_dim": 128, "v_head_dim": 128, "tie_word_embeddings": false]
      as JSON)
      .setting(keys)
  }

  private static let deepSeekV2 = deepSeek([
    "model_type": "deepseek_v2", "hidden_size": 5120, "intermediate_size": 12288, "num_hidden_layers": 60, "num_attention_heads": 128,
    "num_key_value_heads": 128, "n_routed_experts": 160, "n_shared_experts": 2, "num_experts_per_tok": 6, "moe_intermediate_size": 1536,
    "first_k_dense_replace": 1, "n_group": 8, "topk_group": 3, "topk_method": "group_limited_greedy", "vocab_size": 102400,
  ])
  private static let deepSeekV3 = deepSeek([
    "model_type": "deepseek_v3", "hidden_size": 7168, "intermediate_size": 18432, "num_hidden_layers": 61, "num_attention_heads": 128,
    "num_key_value_heads": 128, "vocab_size": 129280,
  ])

  /// The numbers that the papers and the files of these models give, for models that no memory here would hold.
  @Test func publishedModelsAreCounted() throws {
    let known = [
      (Self.mixtral, 46_702_792_704, 12_879_925_248, 262_144), (Self.deepSeekV2, 235_741_434_880, 21_375_800_320, 138_240),
      (Self.deepSeekV3, 671_026_404_352, 37_552_282_624, 140_544),
    ]
    for (configuration, total, active, cache) in known {
      let json = try Architecture(of: configuration, source: "config.json").json
      #expect(json["parameters"]?.int == total && json["active_parameters"]?.int == active && json["cache_bytes_per_token"]?.int == cache)
    }
  }

  /// Keys and values of V2's 128 heads take 71 times as much as what is compressed of them.
  @Test func compressedCachesAreCountedAsSuch() throws {
    let heads: JSON = [
      "model_type": "llama", "hidden_size": 5120, "intermediate_size": 12288, "num_hidden_layers": 60, "num_attention_heads": 128,
      "num_key_value_heads": 128, "head_dim": 160, "vocab_size": 102400,
    ]
    let caches = try [heads, Self.deepSeekV2].map { try Architecture(of: $0, source: "config.json").json["cache_bytes_per_token"]?.int }
    #expect(try #require(caches[0]) / #require(caches[1]) == 71)
  }

  @Test func equalLayersAreFolded() throws {
    let json = try Architecture(of: Self.deepSeekV3, source: "config.json").json
    let groups = try #require(json["stacks"]?[0]?["groups"]?.array)
    #expect(groups.map { $0["layers"] } == [[0, 2], [3, 60]])
    #expect(groups[1]["sublayers"]?[1]?["experts_used"] == 8 && groups[0]["sublayers"]?[1]?["intermediate_size"] == 18432)
    let lines = Architecture(json: json).text.split(separator: "\n")
    #expect(
      lines.contains { $0.hasPrefix("layers") && $0.hasSuffix("  3-60") } && lines.contains { $0.hasPrefix("    groups") && $0.hasSuffix("4 of 8") })
    let windows = try Architecture(of: TinyConfiguration.gptOss, source: "config.json").json
    #expect(windows["stacks"]?[0]?["groups"]?.array?.count == 2)
    // One head of keys and values of 8 columns each, in float32: a token's, and a window of three.
    #expect(windows["cache_bytes_per_token"] == 64 && windows["cache_bytes_in_windows"] == 192)
  }

  /// The shipped comparison of architectures is one of models of which a token uses as much.
  @Test func comparedArchitecturesAreOfOneSize() throws {
    let recipe = try Recipe(file: Repository.file("Recipes/compare-architectures.yaml").path)
    let counts = try recipe.plannedMethods().map { method in
      let configuration = try #require(method.recipe.model.config?.json)
      return try #require(try Architecture(of: configuration, source: method.name).json["active_parameters"]?.int)
    }
    let mean = Double(counts.reduce(0, +)) / Double(counts.count)
    #expect(counts.count == 3 && counts.allSatisfy { abs(Double($0) / mean - 1) < 0.03 }, "\(counts)")
  }

  /// Layers that both have stand in one line; one that a model lacks leaves its place empty.
  @Test func modelsStandSideBySide() throws {
    let both = try [Self.mixtral, Self.deepSeekV3].map { try Architecture(of: $0, source: "config.json") }
    let lines = Architecture.text(both, titles: ["left", "right"]).split(separator: "\n").map(String.init)
    let columns = try ["left", "right"].map { title in try #require(lines[0].firstRange(of: title)).lowerBound }
    func cells(_ name: String) throws -> [String] {
      let line = try #require(lines.first { $0.trimmingPrefix { $0 == " " }.hasPrefix(name) }, "\(name)")
      let padded = line + String(repeating: " ", count: 200)
      let starts = columns.map { lines[0].distance(from: lines[0].startIndex, to: $0) }
      let ends = [starts[1], padded.count]
      return zip(starts, ends).map { start, end in
        String(padded[padded.index(padded.startIndex, offsetBy: start)..<padded.index(padded.startIndex, offsetBy: end)])
          .trimmingCharacters(in: .whitespaces)
      }
    }
    #expect(try cells("parameters") == ["46,702,792,704", "671,026,404,352"])
    #expect(try cells("key value heads") == ["8", ""] && cells("latent size") == ["", "512"])
    #expect(try cells("experts used") == ["2", "8"] && cells("intermediate size") == ["", "18,432"])
    #expect(try cells("cache, each token") == ["262 kB", "141 kB"])
  }
}
