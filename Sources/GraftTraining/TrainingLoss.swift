import GraftBatching
import GraftConfiguration
import GraftLayers
import GraftTensors

/// A loss that training minimises, by the name that `training.loss` has for it.
///
/// A program can add losses of its own; a recipe then names them.
public struct TrainingLoss: Sendable {
  /// Returns the loss of a batch, summed over its examples or tokens, times a scale.
  ///
  /// The trainer gives the scale that makes a mean of the sums of a step's micro-batches: one over `Batch.lossWeight` of all of them.
  public typealias Sum = @Sendable (_ model: any TrainableModel, _ batch: Batch, _ pass: Pass, _ scale: Float) -> Tensor

  /// The value of `training.loss`.
  public let name: String
  /// The loss of a batch.
  public let sum: Sum

  /// - Parameters:
  ///   - name: the name in recipes.
  ///   - sum: the summed loss of a batch.
  public init(_ name: String, sum: @escaping Sum) {
    self.name = name
    self.sum = sum
  }

  /// The loss that the model has for its task.
  public static let ofModel = TrainingLoss("model") { model, batch, pass, scale in model.loss(batch, pass, scale: scale) }

  private static let registry = Registry("training.loss", [ofModel]) { $0.name }

  /// Adds a loss of the program's own, before it reads a recipe that names it.
  /// - Throws: `RegistryError` where its name is taken.
  public static func register(_ loss: TrainingLoss) throws(RegistryError) { try registry.register(loss) }

  /// The loss of a name, which is that of the model where nil.
  /// - Throws: `ConfigError` where there is no such loss.
  public static func named(_ name: String?) throws(ConfigError) -> TrainingLoss {
    guard let name else { return ofModel }
    guard let loss = registry[name] else {
      throw ConfigError(
        location: nil, path: ["training", "loss"], problem: "unknown value '\(name)'", advice: registry.advice(for: name))
    }
    return loss
  }
}
