import GraftDatasets
import GraftRecipes

/// The records of a run: those to train on and those held out.
package struct RecordSplit: Sendable {
  /// The records to train on.
  package var train: RecordList
  /// The records held out.
  package var held: RecordList
  /// A share of the training records by which a run is stopped and its best weights are chosen, where `held` is what is reported.
  package var selection: RecordList?
  /// True where a comparison reports on `held`, so that nothing may be chosen by it.
  package var isReported = false
  /// The share of the windows of `train` that are held out, where its documents are cut into windows first.
  var heldWindowShare: Double?

  /// All records of `train` before anything was set aside, which labels are told from, with those of a comparison that are held out.
  private(set) var labelled: RecordList

  private init(train: RecordList, held: RecordList, labelled: RecordList? = nil) {
    (self.train, self.held) = (train, held)
    self.labelled = labelled ?? train
  }

  /// The records of a single run.
  ///
  /// - Throws: what reading throws, `DatasetError` where there are too few records to hold some out, and `SessionError` where there are none.
  init(ofRun recipe: Recipe, notes: DataNotes) throws {
    let paths = recipe.data.train?.paths ?? []
    let records = try DataPreparation.records(of: recipe.data.train, recipe.data, notes: notes)
    self.init(train: records, held: RecordList())
    if let eval = recipe.data.eval {
      held = try DataPreparation.records(of: eval, recipe.data, notes: notes)
    } else if let share = recipe.data.evalFraction {
      if records.areDocuments {
        heldWindowShare = share
      } else {
        let indices = try SeededSplit.indices(count: records.count, fraction: share, seed: UInt64(bitPattern: Int64(recipe.training.seed)))
        train = records.choosing(indices.train)
        held = records.choosing(indices.held)
      }
    }
    guard !train.isEmpty else {
      throw SessionError(.data, "data.train: \(paths.joined(separator: ", ")) holds no records; add at least one")
    }
  }

  /// The records of a comparison, the same whatever the seeds of its runs.
  ///
  /// - Throws: what reading throws, and `SessionError` where nothing is held out.
  package init(ofComparison recipe: Recipe, seed: Int, notes: DataNotes) throws {
    let records = try DataPreparation.records(of: recipe.data.train, recipe.data, notes: notes)
    self.init(train: records, held: RecordList())
    if let eval = recipe.data.eval {
      held = try DataPreparation.records(of: eval, recipe.data, notes: notes)
      if let share = recipe.data.evalFraction {
        let split = try settingAside(share, seed: seed)
        (train, selection) = (split.train, split.held)
      }
    } else if let share = recipe.data.evalFraction {
      self = try settingAside(share, seed: seed)
    } else {
      throw SessionError(.usage, "data.eval: missing; a comparison needs held-out examples, or data.eval_fraction")
    }
    isReported = selection == nil
    labelled = train + held + (selection ?? RecordList())
  }

  /// Returns the same training records with a share of them held out instead.
  ///
  /// - Throws: `DatasetError` where there are fewer than two.
  package func settingAside(_ share: Double, seed: Int) throws -> RecordSplit {
    let indices = try SeededSplit.indices(count: train.count, fraction: share, seed: UInt64(bitPattern: Int64(seed)))
    var split = RecordSplit(train: train.choosing(indices.train), held: train.choosing(indices.held))
    split.selection = selection
    split.isReported = selection == nil
    split.labelled = split.train + split.held + (selection ?? RecordList())
    return split
  }
}
