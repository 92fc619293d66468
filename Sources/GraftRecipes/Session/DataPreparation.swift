import Foundation
import GraftBatching
import GraftDatasets
import GraftJSON
import GraftTokenizers

/// The records of files, encoded for a task.
enum DataPreparation {
  /// The records of all files, in order.
  static func records(of paths: [String]) throws -> [DataRecord] { try paths.flatMap { try DataFile.records(of: $0) } }

  /// An encoder with the tokenizer's own chat template.
  static func encoder(
    _ tokenizer: Tokenizer, task: LearningTask = .causalLM, format: DataFormat = .auto, maxLength: Int? = nil, completionOnlyLoss: Bool = true,
    cutsTextsIntoWindows: Bool = false, marksPrompts: Bool = false
  ) -> ExampleEncoder {
    ExampleEncoder(
      tokenizer: tokenizer, task: task, format: format, maxLength: maxLength, completionOnlyLoss: completionOnlyLoss,
      cutsTextsIntoWindows: cutsTextsIntoWindows, marksPrompts: marksPrompts, renderChat: chatRenderer(tokenizer))
  }

  /// Renders conversations through the tokenizer's chat template; nil where it has none.
  static func chatRenderer(_ tokenizer: Tokenizer) -> ExampleEncoder.ChatRenderer? { nil }
}
