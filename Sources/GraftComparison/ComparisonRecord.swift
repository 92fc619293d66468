import GraftJSON
import GraftRecipes
import GraftSessions

/// One run of a comparison, as `results.json` keeps it.
public struct ComparisonRecord: Sendable, Equatable {
  /// The end of a run.
  public enum Status: String, Sendable {
    /// A run with a result, one that an error ended, and one whose loss or weights did not stay finite.
    case success, failed, diverged
    /// The untouched base, which nothing was trained on.
    case baseline
  }

  /// A line of the training log.
  public struct Point: Sendable, Equatable {
    /// Optimizer steps done, the mean loss since the line before, and the seconds of training.
    public var step: Int, loss: Double, seconds: Double
    /// Tokens read so far; 0 where an earlier version did not note it.
    public var tokens: Int
  }

  /// The bytes that generation keeps of a sequence of so many tokens, in float32.
  public struct CachePoint: Sendable, Equatable {
    /// The tokens, and the bytes.
    public var length: Int, bytes: Int
  }

  /// The hash of everything that determines the run.
  public var key: String
  /// The method's name in the recipe.
  public var name: String
  /// The seed of the run; 0 for the untouched base.
  public var seed: Int
  /// The highest learning rate.
  public var learningRate: Double
  /// True where the run only served to choose a learning rate.
  public var isTrial = false
  /// The key and value of a method that stands for several, on a curve.
  public var swept: Recipe.ComparedMethod.SweptKey?
  /// The end of the run.
  public var status = Status.success
  /// The cause of a failure.
  public var message = ""
  /// The time at which the run began, in ISO 8601.
  public var createdAt = ""

  /// The metric of the scores, such as `exact_match`.
  public var metric = ""
  /// True where the metric rises as a model improves.
  public var isHigherBetter = true
  /// The metric of every test example.
  public var scores: [Double] = []
  /// The training loss of the last line of the log.
  public var finalLoss: Double?
  /// The rise of the base's loss on texts that it knows.
  public var forgetting: Double?
  /// The number of values that are trained.
  public var trainableParameters = 0
  /// The number of values of the base and of what is trained beside it.
  public var totalParameters = 0
  /// The bytes of the result on the disk.
  public var adapterBytes = 0
  /// The most bytes in tensors at any moment, the base's included.
  public var peakMemoryBytes = 0
  /// Seconds of training.
  public var seconds = 0.0
  /// Tokens that training read.
  public var tokens = 0
  /// Examples that were trained on.
  public var examples = 0
  /// True where the method can be folded into the base.
  public var isMergeable = false
  /// The name of the model that was trained; nil where an earlier version did not note it.
  public var model: String?
  /// The drawing of its architecture.
  public var architecture = JSON.null
  /// The memory that its cache takes.
  public var cache: [CachePoint] = []
  /// The lines of the training log.
  public var points: [Point] = []
  /// Answers to held-out prompts, the first few.
  public var answers: [AnsweredPrompt] = []
  /// The `method:` and the `training:` section.
  public var method = JSON.null
  /// The `training:` section of the recipe.
  public var training = JSON.null

  /// The mean score; not a number where there are none.
  public var score: Double { scores.isEmpty ? .nan : ScoreTable.mean(scores) }
  /// True where the metric counts successes.
  public var isShare: Bool { ["exact_match", "accuracy"].contains(metric) }
  /// Tokens that training read.
  public var tokensPerSecond: Double { Double(tokens) / max(seconds, 1e-9) }

  package init(key: String, name: String, seed: Int, learningRate: Double) {
    (self.key, self.name, self.seed, self.learningRate) = (key, name, seed, learningRate)
  }
}

/// The keys are those of the result files of PEFT's `method_comparison`, so that its tools read a record; what it has no
/// place for stands under `graft`.
extension ComparisonRecord {
  /// - Parameters:
  ///   - model: the base's name.
  ///   - system: the machine.
  public func json(model: String, system: JSON) -> JSON {
    var configuration = training
    let model = self.model ?? model
    configuration["model_id"] = .string(model)
    let memory = JSON.integer(peakMemoryBytes)
    // PEFT's tools ask every configuration for its type, and take one that is empty for full fine-tuning.
    var adapter = method
    let type = method["peft_type"]?.string?.uppercased() ?? "LORA"
    adapter["peft_type"] = .string(type)
    let isTrained = status != .baseline && type != "FULL"
    let last: JSON = [
      "step": .integer(points.last?.step ?? 0), "test accuracy": isShare ? number(score) : .null,
      "train loss": finalLoss.map(JSON.number) ?? .number(0),
      "train samples": .integer(examples), "train total tokens": .integer(tokens), "forgetting": forgetting.map(JSON.number) ?? .null,
    ]
    let package: JSON = [
      "graft-version": .string(Self.version), "peft-version": .null, "transformers-version": .null, "datasets-version": .null, "torch-version": .null,
      "bitsandbytes-version": .null,
    ]
    return [
      "run_info": [
        "created_at": .string(createdAt), "total_time": .number(seconds), "experiment_name": .string("\(name)/seed-\(seed)"),
        "peft_branch": .string("graft"), "train_config": configuration, "peft_config": isTrained ? adapter : .null, "error_msg": .string(message),
      ],
      "train_info": [
        "accelerator_memory_reserved_avg": memory, "accelerator_memory_max": memory, "accelerator_memory_reserved_99th": memory,
        "train_time": .number(seconds), "file_size": .integer(adapterBytes), "num_trainable_params": .integer(trainableParameters),
        "num_total_params": .integer(totalParameters), "status": .string(status.rawValue), "metrics": .array(points.map(Self.json) + [last]),
      ],
      "meta_info": [
        "model_info": ["name": .string(model)], "dataset_info": .null, "package_info": package, "system_info": system, "pytorch_info": .null,
      ],
      "graft": own,
    ]
  }

  static let version = "0.1.0"

  private var own: JSON {
    var own: JSON = [
      "key": .string(key), "name": .string(name), "seed": .integer(seed), "learning_rate": .number(learningRate), "is_trial": .bool(isTrial),
      "metric": .string(metric), "higher_is_better": .bool(isHigherBetter), "scores": .array(scores.map(number)), "mergeable": .bool(isMergeable),
      "answers": .array(
        answers.map { ["prompt": .string($0.prompt), "expected": .string($0.expected), "answer": .string($0.answer)] }),
    ]
    if let model { own["model"] = .string(model) }
    if !architecture.isNull { own["architecture"] = architecture }
    if !cache.isEmpty { own["cache"] = .array(cache.map { ["length": .integer($0.length), "bytes": .integer($0.bytes)] }) }
    if let swept { own["swept"] = ["family": .string(swept.family), "key": .string(swept.key), "value": .number(swept.value)] }
    return own
  }

  private static func json(_ point: Point) -> JSON {
    [
      "step": .integer(point.step), "train loss": .number(point.loss), "elapsed time": .number(point.seconds),
      "train total tokens": .integer(point.tokens),
    ]
  }

  private func number(_ value: Double) -> JSON { value.isFinite ? .number(value) : .null }

  /// A record read back; nil where it is not one of ours.
  public init?(_ json: JSON) {
    guard let own = json["graft"], let run = json["run_info"], let train = json["train_info"], let key = own["key"]?.string,
      let name = own["name"]?.string, let seed = own["seed"]?.int, let rate = own["learning_rate"]?.double,
      let status = train["status"]?.string.flatMap(Status.init)
    else { return nil }
    self.init(key: key, name: name, seed: seed, learningRate: rate)
    self.status = status
    isTrial = own["is_trial"]?.bool ?? false
    message = run["error_msg"]?.string ?? ""
    createdAt = run["created_at"]?.string ?? ""
    metric = own["metric"]?.string ?? ""
    isHigherBetter = own["higher_is_better"]?.bool ?? true
    scores = own["scores"]?.array?.map { $0.double ?? .nan } ?? []
    isMergeable = own["mergeable"]?.bool ?? false
    answers =
      own["answers"]?.array?.map {
        AnsweredPrompt(prompt: $0["prompt"]?.string ?? "", expected: $0["expected"]?.string ?? "", answer: $0["answer"]?.string ?? "")
      } ?? []
    model = own["model"]?.string
    architecture = own["architecture"] ?? .null
    cache = (own["cache"]?.array ?? []).map { CachePoint(length: $0["length"]?.int ?? 0, bytes: $0["bytes"]?.int ?? 0) }
    if let swept = own["swept"] {
      self.swept = Recipe.ComparedMethod.SweptKey(
        family: swept["family"]?.string ?? "", key: swept["key"]?.string ?? "", value: swept["value"]?.double ?? 0)
    }
    trainableParameters = train["num_trainable_params"]?.int ?? 0
    totalParameters = train["num_total_params"]?.int ?? 0
    adapterBytes = train["file_size"]?.int ?? 0
    peakMemoryBytes = train["accelerator_memory_max"]?.int ?? 0
    seconds = train["train_time"]?.double ?? 0
    let metrics = train["metrics"]?.array ?? []
    points = metrics.dropLast().compactMap { point in
      guard let step = point["step"]?.int, let loss = point["train loss"]?.double else { return nil }
      return Point(step: step, loss: loss, seconds: point["elapsed time"]?.double ?? 0, tokens: point["train total tokens"]?.int ?? 0)
    }
    if let last = metrics.last {
      tokens = last["train total tokens"]?.int ?? 0
      examples = last["train samples"]?.int ?? 0
      forgetting = last["forgetting"]?.double
      finalLoss = status == .success ? last["train loss"]?.double : nil
    }
    method = run["peft_config"] ?? .null
    training = run["train_config"] ?? .null
  }
}
