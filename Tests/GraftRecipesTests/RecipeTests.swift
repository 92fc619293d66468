import Foundation
import GraftConfiguration
import GraftRecipes
import Testing

@Suite struct RecipeTests {
  static let minimal = "model: {path: m}\ndata: {train: t.jsonl}\n"

  private func recipe(_ yaml: String, _ overrides: String...) throws -> Recipe {
    try Recipe(yaml: yaml, file: "Recipes/demo.yaml", overrides: overrides)
  }

  private func message(_ yaml: String, _ overrides: String...) -> String {
    do {
      _ = try Recipe(yaml: yaml, file: "r.yaml", overrides: overrides)
      return "no error"
    } catch { return "\(error)" }
  }

  @Test func everyKeyHasItsDefault() throws {
    let recipe = try recipe(Self.minimal)
    #expect(recipe.training.numEpochs == 1 && recipe.training.maxSteps == nil)
    #expect(
      recipe.training.batchSize == 8 && recipe.training.betas == [0.9, 0.999] && recipe.training.maxGradNorm == 1)
    #expect(recipe.training.learningRate == nil)
    #expect(
      recipe.data.maxLength == 256 && recipe.data.packing && recipe.data.shuffle && recipe.data.completionOnlyLoss)
    #expect(recipe.report.html && recipe.report.tensorboard)
    #expect(recipe.outputDirectory == "runs/demo")
    #expect(recipe.peftType == "LORA")
  }

  /// The whole of the documented recipe.
  @Test func theDocumentedRecipeDecodes() throws {
    let recipe = try recipe(
      """
      model:
        path: Data/models/seedling          # a MODEL
        dtype: float32
        quantization: none
        attention: causal
      task: causal_lm
      method:
        peft_type: LORA
        r: 16
        lora_alpha: 32
        lora_dropout: 0.0
        target_modules: all-linear
        init_from: null
      data:
        train: Data/arithmetic/train.jsonl
        eval: Data/arithmetic/eval.jsonl
        format: auto
        max_length: 256
        packing: true
        completion_only_loss: true
        shuffle: true
      training:
        num_epochs: 1
        batch_size: 8
        gradient_accumulation_steps: 1
        learning_rate: 2.0e-4
        optimizer: adamw
        betas: [0.9, 0.999]
        epsilon: 1.0e-8
        weight_decay: 0.0
        lr_scheduler: cosine
        warmup_steps: 0
        max_grad_norm: 1.0
        precision: fp32
        gradient_checkpointing: false
        seed: 0
        logging_steps: 10
        eval_steps: null
        save_steps: null
        save_total_limit: 2
        early_stopping_patience: null
      report:
        html: true
        tensorboard: true
      output_dir: runs/arithmetic-lora
      """)
    #expect(recipe.method["r"]?.int == 16)
    #expect(recipe.initialAdapter == nil)
    #expect(recipe.training.learningRate == 2e-4)
    #expect(recipe.data.eval == "Data/arithmetic/eval.jsonl")
    #expect(recipe.model.attention == .causal)
  }

  @Test func theResolvedRecipeReadsBackTheSame() throws {
    let recipe = try recipe(
      """
      model: {config: {model_type: llama, hidden_size: 128, rope_parameters: {rope_theta: 1.0e+4}}}
      task: seq2seq_lm
      method: {peft_type: LORA, target_modules: '.*\\.(q|v)_proj$', rank_pattern: {"^layers.0": 4}, init_from: "a: b"}
      data: {train: [a.jsonl, "b c.csv"], eval_fraction: 0.05}
      training: {max_steps: 30, learning_rate: 3e-4, max_grad_norm: null, warmup_ratio: 0.1}
      methods:
        - {name: lora, method: {peft_type: LORA, r: 4}}
        - {name: scan, method: {peft_type: FULL}, model: {config: {model_type: mamba, hidden_size: 128}}}
        - {name: "prompt tuning", method: {peft_type: PROMPT_TUNING}, training: {batch_size: 2}, learning_rates: [1e-3, 0.3]}
      seeds: [0, 1]
      """)
    #expect(try Recipe(yaml: recipe.rendered(), file: "other.yaml") == recipe)
    let plain = try self.recipe(Self.minimal)
    let text = try plain.rendered()
    #expect(try Recipe(yaml: text, file: "other.yaml") == plain)
    #expect(!text.contains("methods") && !text.contains("seeds"))
  }

  /// The model of a line of a comparison stands above the recipe's, key by key; a configuration takes the place of a path.
  @Test func aComparedModelStandsAboveTheRecipes() throws {
    let recipe = try recipe(
      Self.minimal + """
        methods:
          - {name: plain, method: {peft_type: FULL}}
          - {name: scan, method: {peft_type: FULL}, model: {config: {model_type: mamba}, tokenizer: t}}
          - {name: half, method: {peft_type: FULL}, model: {dtype: bfloat16}}
          - {name: other, method: {peft_type: FULL}, model: {path: n}}

        """)
    let models = try recipe.plannedMethods().map(\.recipe.model)
    #expect(models[0] == recipe.model && models[0].path == "m")
    #expect(models[1].path == nil && models[1].config?["model_type"]?.string == "mamba" && models[1].tokenizer == "t")
    #expect(models[2].path == "m" && models[2].dtype.rawValue == "bfloat16" && models[3].path == "n")
    let prefix = Self.minimal + "methods:\n  - {name: a, method: {peft_type: FULL}, model: "
    #expect(message(prefix + "{config: {hidden_size: 8}}}\n").contains("methods.0.model.config.model_type: the key is missing"))
    #expect(message(prefix + "{pth: n}}\n").contains("methods.0.model.pth: unknown key"))
  }

  @Test func errorsNameLineAndNearestKey() {
    #expect(
      message("model:\n  path: m\ndata:\n  train: t\ntraining:\n  seed: 1\n  lerning_rate: 1\n")
        == "r.yaml:7: training.lerning_rate: unknown key; did you mean 'learning_rate'?")
    #expect(
      message("model:\n  path: m\n  lora_alpha: 3\n")
        == "r.yaml:3: model.lora_alpha: unknown key; 'lora_alpha' belongs under 'method:'")
    #expect(
      message("learning_rate: 1\n") == "r.yaml:1: learning_rate: unknown key; 'learning_rate' belongs under 'training:'"
    )
    #expect(
      message("model: {path: m}\n")
        == "r.yaml:1: data.train: the key is missing; name a .jsonl, .csv, .tsv or .txt file")
    #expect(message("data: {train: t}\n").hasPrefix("r.yaml:1: model.path: the key is missing"))
    #expect(
      message(Self.minimal + "training:\n  batch_size: 0\n")
        == "r.yaml:4: training.batch_size: 0 is impossible; choose 1 or more")
    #expect(message(Self.minimal + "training:\n  betas: [0.9]\n").hasPrefix("r.yaml:4: training.betas:"))
    #expect(
      message(Self.minimal + "training: {lr_scheduler: cosin}\n")
        == "r.yaml:3: training.lr_scheduler: unknown value 'cosin'; did you mean 'cosine'?")
    #expect(
      message(Self.minimal + "training: {batch_size: true}\n").hasPrefix(
        "r.yaml:3: training.batch_size: expected a whole number"))
    #expect(message(Self.minimal + "method: LORA\n").hasPrefix("r.yaml:3: method: expected a section"))
  }

  @Test func exclusiveKeysExclude() {
    #expect(
      message("model: {path: m, config: {model_type: x}}\ndata: {train: t}").contains(
        "model.config: 'model.path' is given"))
    #expect(message("model: {path: m}\ndata: {train: t, eval: e, eval_fraction: 0.1}").contains("data.eval_fraction"))
    #expect(message(Self.minimal + "training: {num_epochs: null, max_steps: 3}") == "no error")
  }

  @Test func filesHaveWeightsAndColumnsNames() throws {
    let yaml = """
      model: {path: m}
      data:
        train: [{path: a.jsonl, weight: 2}, b.jsonl, {path: c.jsonl, weight: 0.5}]
        columns: {prompt: question, completion: answer}
        roles: {human: user}
      """
    let recipe = try recipe(yaml)
    #expect(recipe.data.train?.paths == ["a.jsonl", "b.jsonl", "c.jsonl"])
    #expect(recipe.data.train?.weights == ["a.jsonl": 2, "c.jsonl": 0.5])
    #expect(recipe.data.columns == ["prompt": "question", "completion": "answer"] && recipe.data.roles == ["human": "user"])
    // A resolved recipe says the same.
    #expect(try Recipe(yaml: recipe.rendered(), file: "r.yaml") == recipe)
    func refused(_ train: String) -> String { message("model: {path: m}\ndata:\n  train: \(train)\n") }
    #expect(refused("[{path: a, weight: 0}]").hasPrefix("r.yaml:3: data.train: a: the weight 0.0 is not above 0"))
    #expect(refused("[{path: a, wieght: 2}]").contains("unknown key; did you mean 'weight'?"))
    #expect(refused("[{path: a, weight: 2}, a]").contains("named twice"))
    #expect(refused("{path: a, weight: 2}").contains("expected a list"))
    #expect(message("model: {path: m}\ndata: {train: a, eval: [{path: b, weight: 2}]}").contains("data.eval: files that are not trained on"))
    #expect(message("model: {path: m}\ndata: {train: a, columns: {promt: q}}").hasSuffix("did you mean 'prompt'?"))
  }

  /// As Transformers has it: the count of steps stands above the epochs, that of warm-up above its share, and -1 is no count.
  @Test func countsStandAboveSharesAndThatIsSaid() throws {
    let both = try recipe(Self.minimal + "training: {num_epochs: 3, max_steps: 7, warmup_steps: 2, warmup_ratio: 0.5}\n")
    #expect(both.training.maxSteps == 7 && both.training.numEpochs == nil)
    #expect(both.training.warmupStepCount(of: 7) == 2 && both.training.warmupRatio == nil)
    #expect(
      both.remarks == [
        "training.max_steps: 7 counts; num_epochs: 3.0 does not", "training.warmup_steps: 2 counts; warmup_ratio: 0.5 does not",
      ])
    let unset = try recipe(Self.minimal + "training: {num_epochs: 3, max_steps: -1, warmup_ratio: 0.5}\n")
    #expect(unset.training.maxSteps == nil && unset.training.numEpochs == 3 && unset.remarks.isEmpty)
    #expect(unset.training.warmupStepCount(of: 7) == 4)
  }

  @Test(arguments: [
    ("training: {batch_size: 3000000000}", "training.batch_size: 3000000000"),
    ("training: {max_steps: 9000000000000000000}", "training.max_steps: 9"),
    ("training: {gradient_accumulation_steps: 3000000000}", "training.gradient_accumulation_steps: 3"),
    ("training: {num_epochs: 1.0e300}", "training.num_epochs: 1e+300"),
    ("training: {warmup_steps: 3000000000}", "training.warmup_steps: 3"), ("method: {r: 9000000000000000000}", "method.r: 9"),
    ("method: {rank_pattern: {q_proj: 1.0e300}}", "method.rank_pattern.q_proj: 1e+300"), ("method: {lora_alpha: .inf}", "method.lora_alpha: inf"),
  ])
  func numbersBeyondAllMeasureAreRefusedWithTheirLine(_ line: String, _ complaint: String) {
    #expect(message(Self.minimal + line + "\n").hasPrefix("r.yaml:3: \(complaint)"))
  }

  @Test func lengthBeyondAllMeasureIsRefused() {
    #expect(message("model: {path: m}\ndata: {train: t, max_length: 5000000000}\n").hasPrefix("r.yaml:2: data.max_length: 5000000000"))
  }

  @Test(arguments: ["seeds: [1, 2]", "methods:\n  - {name: a, method: {peft_type: IA3}}", "learning_rates: [1.0e-3]"])
  func comparisonIsNotTrainedAsOneRun(_ line: String) throws {
    let recipe = try recipe(Self.minimal + line + "\n")
    let key = line.prefix { $0 != ":" }
    let error = #expect(throws: ConfigError.self) { try recipe.requireSingleRun() }
    #expect(
      error?.description
        == "Recipes/demo.yaml:3: \(key): a comparison of several runs is not trained as one; run it with: graft compare Recipes/demo.yaml")
    #expect(try Recipe(yaml: recipe.rendered(), file: "other.yaml") == recipe)
  }

  @Test func recipesTellWhatDiffers() throws {
    let one = try recipe(Self.minimal)
    let other = try recipe(Self.minimal, "training.seed=4", "method.r=2", "training.max_steps=5")
    let differences = try other.differences(from: one).map { "\($0.key) \($0.value) \($0.other)" }
    #expect(Set(differences) == ["training.seed 4 0", "method.r 2 not given", "training.max_steps 5 not given", "training.num_epochs not given 1.0"])
  }

  /// Frozen weights follow the precision unless a format is asked for; recipes that mean the same are not told apart.
  @Test func frozenWeightsFollowThePrecision() throws {
    func recipe(_ model: String, _ precision: String) throws -> Recipe {
      try Recipe(yaml: "model: {path: m\(model)}\ndata: {train: t.jsonl}\ntraining: {precision: \(precision)}\n", file: "r.yaml")
    }
    #expect(try ["fp32", "bf16", "fp16"].map { try recipe("", $0).frozenFormat } == [.float32, .bfloat16, .float16])
    #expect(try recipe(", dtype: float32", "bf16").frozenFormat == .float32)
    #expect(try recipe("", "fp32").differences(from: recipe(", dtype: float32", "fp32")).isEmpty)
    #expect(try recipe("", "bf16").differences(from: recipe(", dtype: float32", "bf16")).map(\.key) == ["model.dtype"])
  }

  @Test func overridesStandAboveTheFile() throws {
    let recipe = try recipe(
      Self.minimal + "training: {num_epochs: 2}\n", "training.max_steps=7", "method.r=4",
      "method.target_modules=[q_proj, v_proj]",
      "data.train=[a.jsonl, b.jsonl]", "output_dir=out/x", "training.learning_rate=1e-4")
    #expect(recipe.training.maxSteps == 7 && recipe.training.numEpochs == nil)
    #expect(recipe.method == ["peft_type": "LORA", "r": 4, "target_modules": ["q_proj", "v_proj"]])
    #expect(recipe.data.train == ["a.jsonl", "b.jsonl"])
    #expect(recipe.outputDirectory == "out/x" && recipe.training.learningRate == 1e-4)
    #expect(
      message(Self.minimal, "training.batch_size=x").hasPrefix(
        "training.batch_size=x: training.batch_size: expected a whole number"))
    #expect(
      message(Self.minimal, "training.batchsize=1")
        == "training.batchsize=1: training.batchsize: unknown key; did you mean 'batch_size'?")
  }

  @Test func brokenYAMLNamesItsLine() {
    #expect(message("model:\n  path: 'm\n").hasPrefix("r.yaml:"))
    #expect(message("model:\n path: m\n  x: [1\n").hasPrefix("r.yaml:3"))
    #expect(message("model: {path: m}\nmodel: {path: n}\n").contains("'model' stands twice"))
    #expect(message("- a\n- b\n").contains("expected a section, found a list"))
    #expect(message("just text").contains("expected a section, found the text"))
    #expect(message("").contains("model.path: the key is missing"))
    #expect(message("a: 1\n---\nb: 2\n").contains("second document"))
    let aliases =
      "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
      + (1...9).map {
        "a\($0): &a\($0) [" + Array(repeating: $0 == 1 ? "*a" : "*a\($0 - 1)", count: 10).joined(separator: ", ") + "]"
      }.joined(separator: "\n")
    #expect(message(aliases).contains("more than 100000 values"))
  }

  @Test func aMissingFileIsNoInvalidRecipe() {
    #expect { _ = try Recipe(file: "/nowhere/r.yaml") } throws: { ($0 as? ConfigError)?.kind == .noSuchFile }
  }

  @Test func comparisonsRunEveryMethodRateAndSeed() throws {
    let recipe = try recipe(
      Self.minimal + """
        training: {num_epochs: 3, learning_rate: 1.0e-4}
        seeds: [0, 5]
        methods:
          - {name: lora, method: {peft_type: LORA, r: 4}}
          - {name: prompt, method: {peft_type: PROMPT_TUNING}, training: {max_steps: 9}, learning_rates: [0.001, 0.01]}
          - {name: ranks, method: {peft_type: LORA, r: [1, 8], layers_to_transform: [0, 1]}}
          - {name: widths, method: {peft_type: ADAPTER, reduction_factor: [32, 2]}}
        """)
    let methods = try recipe.plannedMethods()
    #expect(methods.map(\.name) == ["lora", "prompt", "ranks r=1", "ranks r=8", "widths reduction_factor=32", "widths reduction_factor=2"])
    #expect(methods.map(\.learningRates) == [[], [0.001, 0.01], [], [], [], []])
    #expect(methods[1].recipe.training.maxSteps == 9 && methods[1].recipe.training.numEpochs == nil)
    #expect(methods[0].recipe.training.numEpochs == 3 && methods[0].recipe.methods == nil)
    #expect(methods[3].swept?.value == 8 && methods[3].recipe.method["r"]?.int == 8)
    let run = methods[1].recipe(seed: 5, learningRate: 0.01)
    #expect(run.training.seed == 5 && run.training.learningRate == 0.01)
    #expect(
      message(
        Self.minimal + "methods:\n  - name: a\n    method: {peft_type: LORA}\n    training:\n      batchsize: 1\n")
        == "r.yaml:7: methods.0.training.batchsize: unknown key; did you mean 'batch_size'?")
    #expect(message(Self.minimal + "methods:\n  - name: a\n    methd: {}\n").contains("methods.0"))
    #expect(
      message(Self.minimal + "methods:\n  - name: a\n    method: {peft_type: LORA, rr: 2}\n").hasPrefix(
        "r.yaml:5: method.rr: unknown key; did you mean 'r'?"))
    #expect(message(Self.minimal + "seeds: [0, 1, 0]\n").contains("seeds: 0 stands twice"))
  }
}
