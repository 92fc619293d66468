import GraftBatching
import GraftDatasets
import GraftRecipes
import GraftTraining

extension PreferenceObjective {
  /// The objective of a recipe's `preference:` section, with the loss's own numbers where it says none.
  ///
  /// - Throws: `ConfigError` for a loss that there is not, and `SessionError` for a key that the loss does not read.
  init(_ recipe: Recipe.Preference) throws {
    let loss = try PreferenceLoss.named(recipe.loss)
    var settings = loss.defaults
    settings.beta = recipe.beta ?? settings.beta
    settings.likelihoodWeight = recipe.sftWeight ?? settings.likelihoodWeight
    func read<Value>(_ value: Value?, _ option: PreferenceLoss.Option, _ place: WritableKeyPath<PreferenceSettings, Value>) throws {
      guard let value else { return }
      guard loss.options.contains(option) else {
        throw SessionError(.usage, "preference.\(option.rawValue): \(loss.name) does not read it; leave it out, or choose another preference.loss")
      }
      settings[keyPath: place] = value
    }
    try read(recipe.labelSmoothing, .labelSmoothing, \.labelSmoothing)
    try read(recipe.lengthNormalized, .normalizesLength, \.normalizesLength)
    try read(recipe.gamma, .margin, \.margin)
    try read(recipe.desirableWeight, .desirableWeight, \.desirableWeight)
    try read(recipe.undesirableWeight, .undesirableWeight, \.undesirableWeight)
    self.init(loss, settings)
  }
}

extension PreferenceObjective {
  /// - Throws: `SessionError` for records of the other form: pairs, or answers with a label.
  func require(_ format: DataFormat, of records: RecordList) throws {
    let isUnpaired = format == .unpairedPreference
    guard isUnpaired != loss.judgesSingleAnswers else { return }
    let (found, wanted) = (isUnpaired ? "answers with a label" : "pairs of answers", isUnpaired ? "pairs" : "answers with a label")
    throw SessionError(.data, "\(records.file(of: 0)): holds \(found), and \(loss.name) is for \(wanted); choose another preference.loss")
  }
}

extension EncodedDataset {
  /// The examples, each beside its own prompt with its partner's answer.
  func contrasted(groupSize: Int, maxLength: Int?) -> EncodedDataset {
    let partners = AnswerPartners(groupSize: groupSize, count: examples.count)
    var result = self
    result.examples = examples.indices.map { examples[$0].contrasted(with: examples[partners[$0]], maxLength: maxLength) }
    return result
  }
}
