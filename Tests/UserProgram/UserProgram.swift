import Foundation
import Graft

/// A program of somebody else's: it adds a method, a data format and a loss, and trains by a recipe that names them.
///
///     UserProgram MODEL DIRECTORY
///
/// It prints what it found as JSON.
@main
struct UserProgram {
  static func main() throws {
    let model = CommandLine.arguments[1]
    let directory = CommandLine.arguments[2]
    try MethodCatalog.register(CappedLowRank.self)
    try DataFormat.register(dialogue)
    try TrainingLoss.register(halved)

    let recipe = try Recipe(yaml: recipe(model: model, directory: directory), file: "user.yaml")
    var losses: [Double] = []
    let outcome = try TrainingRun(recipe, output: directory + "/run").run { event in
      if case .training(.logged(let line)) = event { losses.append(line.loss) }
    }
    // The adapter is read back as any other, since the program has registered its method.
    let session = try ModelSession(model: model, adapter: directory + "/run")
    session.layout.format = dialogue
    let metrics = try session.evaluate(directory + "/dialogue.jsonl")
    let report: JSON = [
      "losses": .array(losses.map(JSON.number)), "summary": outcome.summary,
      "read_back": .object(JSONObject(metrics.map { ($0.name, .number($0.value)) })),
      "stored": .string(try AdapterFile.read(directory + "/run/adapter.h5").adapter().peftType),
      "is_taken": .bool((try? MethodCatalog.register(CappedLowRank.self)) == nil),
    ]
    print(report.serialized())
  }

  /// Questions and answers under columns of our own.
  private static let dialogue = DataFormat("dialogue", required: ["ask", "reply"], as: .promptCompletion) { record in
    guard let reply = record["reply"]?.string else { throw WrongReply() }
    return ["prompt": record["ask"] ?? .null, "completion": .string(" " + reply)]
  }

  private struct WrongReply: Error, CustomStringConvertible {
    let description = "the reply is no text"
  }

  /// Half of the model's own loss.
  private static let halved = TrainingLoss("halved") { model, batch, pass, scale in 0.5 * model.loss(batch, pass, scale: scale) }

  private static func recipe(model: String, directory: String) -> String {
    """
    model: {path: \(model)}
    method: {peft_type: CAPPED_LOW_RANK, r: 2, cap: 1.5}
    data: {train: \(directory)/dialogue.jsonl, eval: \(directory)/dialogue.jsonl, format: dialogue, packing: false}
    training: {loss: halved, max_steps: 12, batch_size: 16, logging_steps: 1, lr_scheduler: constant}
    report: {html: false, tensorboard: false}
    """
  }
}
