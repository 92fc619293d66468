import GraftBatching
import GraftLayers
import GraftRecipes
import GraftTensors
import GraftTraining

/// A micro-batch's way forward and back, under the conditions of a recipe, as the trainer takes it.
struct TrainingPass {
  let model: any TrainableModel
  let recipe: Recipe
  let loss: TrainingLoss.Sum

  /// Adds the gradients of a micro-batch to those of earlier ones.
  ///
  /// - Parameter layers: the layers of every stack that are computed; nil for all.
  func run(_ batch: Batch, layers: Int? = nil, addingTo gradients: inout Gradients) {
    let training = recipe.training
    var execution = Execution.current
    execution.recomputation = training.gradientCheckpointing
    if let format = training.precision.arithmetic.operandFormat {
      execution.arithmetic = training.precision.arithmetic
      execution.savedForm = .converted(format)
    }
    var pass = Pass(isTraining: true, random: RandomStream(seed: 0))
    pass.layerLimit = layers
    pass.auxiliary = AuxiliaryOutputs()
    let tape = Tape()
    let value = execution.run { tape.record { loss(model, batch, pass, 1) } }
    tape.addGradients(of: value, to: &gradients)
  }
}
