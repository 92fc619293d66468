import GraftDatasets
import GraftRecipes

/// The records of a run: those to train on and those held out.
package struct RecordSplit: Sendable {
  package var train: [DataRecord]
  package var held: [DataRecord]
  /// A share of the training records by which a run is stopped and its best weights are chosen, since `held` is what is reported.
  package var selection: [DataRecord]?

  package init(train: [DataRecord], held: [DataRecord]) { (self.train, self.held) = (train, held) }

  /// What a recipe's data section says, the same whatever the seeds of its runs.
  /// - Throws: where files cannot be read, nothing is held out, or documents would have to be split.
  package init(_ recipe: Recipe, seed: Int, notes: DataNotes) throws {
    let records = try DataPreparation.records(of: recipe.data.train?.paths ?? [], layout: recipe.data.layout, notes: notes)
    if let eval = recipe.data.eval {
      self.init(train: records, held: try DataPreparation.records(of: eval.paths, layout: recipe.data.layout, notes: notes))
      guard let fraction = recipe.data.evalFraction else { return }
      let split = try settingAside(fraction, seed: seed)
      (train, selection) = (split.train, split.held)
    } else if let fraction = recipe.data.evalFraction {
      self = try RecordSplit(train: records, held: []).settingAside(fraction, seed: seed)
    } else {
      throw SessionError(.usage, "data.eval: missing; a comparison needs held-out examples, or data.eval_fraction")
    }
  }

  /// The same training records with a share of them held out instead.
  /// - Throws: `DatasetError` where there are fewer than two.
  package func settingAside(_ share: Double, seed: Int) throws -> RecordSplit {
    let indices = try SeededSplit.indices(count: train.count, fraction: share, seed: UInt64(bitPattern: Int64(seed)))
    var split = RecordSplit(train: indices.train.map { train[$0] }, held: indices.held.map { train[$0] })
    split.selection = selection
    return split
  }
}
