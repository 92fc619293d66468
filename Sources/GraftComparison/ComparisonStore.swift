import Foundation
import GraftCheckpoints
import GraftFiles
import GraftJSON
import GraftRecipes
import GraftSessions

/// The folder of a comparison: `results.json` is written after every run, and says which runs need not be repeated.
package struct ComparisonStore {
  private let path: String
  private let model: String
  /// The hash of the examples and the base.
  private let digest: String
  private var records: [String: ComparisonRecord] = [:]
  private var order: [String] = []

  /// Reads whatever results of this comparison a folder has.
  /// - Parameter isFresh: true where what is there is to be replaced.
  /// - Throws: `CheckpointError` of kind `cannotCreate` where they are another comparison's, `SessionError` where they are damaged.
  package init(_ path: String, model: String, recipe: Recipe, digest: String, isFresh: Bool) throws {
    (self.path, self.model, self.digest) = (path, model, digest)
    guard !isFresh, let bytes = try InputFile.bytesIfPresent(of: path + "/results.json") else { return }
    guard let text = String(validating: bytes, as: UTF8.self), let document = try? JSON(parsing: text), let runs = document["runs"]?.object else {
      throw SessionError(.data, "\(path)/results.json: holds no results of a comparison; choose another folder with --output")
    }
    let earlier = try? Recipe(file: path + "/recipe.yaml")
    try Self.require(recipe, digest, sameAs: document, earlier, in: path)
    let isOlder = document["version"]?.int ?? 1 < Self.version
    for entry in runs {
      guard var record = ComparisonRecord(entry.value) else {
        throw SessionError(.data, "\(path)/results.json: run \(entry.key.prefix(12)) is damaged; delete the file to start afresh")
      }
      if isOlder, let earlier, let key = try? RunKey.of(record, in: earlier, digest: digest) { record.key = key }
      keep(record)
    }
  }

  /// The version of `results.json`; in the first, keys were hashes of whole recipes.
  private static let version = 2

  /// - Throws: `CheckpointError` where the comparison in a folder is of other examples, another base or other settings.
  private static func require(_ recipe: Recipe, _ digest: String, sameAs document: JSON, _ earlier: Recipe?, in path: String) throws {
    var differences =
      try earlier.map { try recipe.differences(from: $0) }?.filter { !mayChange($0.key) }.map { difference in
        "\(difference.key) is \(difference.value) instead of \(difference.other)"
      } ?? []
    if let known = document["digest"]?.string, known != digest { differences.append("other examples or another base") }
    guard !differences.isEmpty else { return }
    throw CheckpointError(
      .cannotCreate, path, "holds another comparison: " + differences.joined(separator: ", "),
      remedy: "choose another directory with --output, or replace it by --overwrite (methods, seeds, learning rates and few_shot may be added)")
  }

  /// Returns true for a key of the recipe that leaves results which are there comparable.
  private static func mayChange(_ key: String) -> Bool {
    ["method", "methods", "seeds", "learning_rates", "few_shot"].contains { key == $0 || key.hasPrefix($0 + ".") }
      || RunIdentity.mayChange(key) && !["training.max_steps", "training.num_epochs", "data.eval", "data.forgetting"].contains(key)
  }

  /// A run that need not be repeated: one that failed may have been mended since.
  package func record(_ key: String) -> ComparisonRecord? { records[key].flatMap { $0.status == .failed ? nil : $0 } }

  private mutating func keep(_ record: ComparisonRecord) {
    if records.updateValue(record, forKey: record.key) == nil { order.append(record.key) }
  }

  mutating func add(_ record: ComparisonRecord) throws {
    keep(record)
    let system = Self.system
    var runs = JSONObject()
    for key in order { runs[key] = records[key]?.json(model: model, system: system) }
    let document: JSON = [
      "format": "graft-comparison", "version": .integer(Self.version), "model": .string(model), "digest": .string(digest), "runs": .object(runs),
    ]
    try write(document.serialized(pretty: true) + "\n", to: "results.json")
    guard !record.isTrial else { return }
    // One file a run in a folder is what PEFT's tools read.
    try createDirectory(path + "/results")
    try write(record.json(model: model, system: system).serialized(pretty: true) + "\n", to: "results/\(record.key.prefix(16)).json")
  }

  func write(_ text: String, to name: String) throws { try AtomicFile.write(text.utf8, to: "\(path)/\(name)") }

  /// Writes the table, the report and its pictures.
  func write(_ result: ComparisonResult) throws {
    try write(result.csv, to: "results.csv")
    let report = ComparisonReport(result)
    try write(report.table.markdown, to: "results.md")
    try write(report.table.latex, to: "results.tex")
    try write(report.html(), to: "report.html")
    try createDirectory(path + "/plots")
    for picture in report.pictures { try write(picture.svg, to: "plots/\(picture.name).svg") }
  }

  private static var system: JSON {
    var system = JSON.object(JSONObject())
    for (label, value) in Machine.description { system[label.lowercased()] = .string(value) }
    return system
  }
}
