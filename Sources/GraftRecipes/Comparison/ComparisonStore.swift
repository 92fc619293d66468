import Foundation
import GraftCheckpoints
import GraftFiles
import GraftJSON

/// The folder of a comparison: `results.json` is written after every run, and says which runs need not be repeated.
struct ComparisonStore {
  private let path: String
  private let model: String
  private var records: [String: ComparisonRecord] = [:]
  private var order: [String] = []

  /// Opens a folder with whatever results it has.
  /// - Throws: `CheckpointError` where it cannot be created, `SessionError` where its results are not ours.
  init(_ path: String, model: String) throws {
    (self.path, self.model) = (path, model)
    do {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    } catch {
      throw CheckpointError(.cannotCreate, path, "cannot create the folder of results", remedy: "choose another with --output")
    }
    guard let bytes = try InputFile.bytesIfPresent(of: path + "/results.json") else { return }
    guard let text = String(validating: bytes, as: UTF8.self), let runs = (try? JSON(parsing: text))?["runs"]?.object else {
      throw SessionError(.data, "\(path)/results.json: holds no results of a comparison; choose another folder with --output")
    }
    for entry in runs {
      guard let record = ComparisonRecord(entry.value) else {
        throw SessionError(.data, "\(path)/results.json: run \(entry.key.prefix(12)) is damaged; delete the file to start afresh")
      }
      keep(record)
    }
  }

  /// A run that need not be repeated: one that failed may have been mended since.
  func record(_ key: String) -> ComparisonRecord? { records[key].flatMap { $0.status == .failed ? nil : $0 } }

  private mutating func keep(_ record: ComparisonRecord) {
    if records.updateValue(record, forKey: record.key) == nil { order.append(record.key) }
  }

  mutating func add(_ record: ComparisonRecord) throws {
    keep(record)
    let system = Self.system
    var runs = JSONObject()
    for key in order { runs[key] = records[key]?.json(model: model, system: system) }
    let document: JSON = ["format": "graft-comparison", "version": .integer(1), "model": .string(model), "runs": .object(runs)]
    try write(document.serialized(pretty: true) + "\n", to: "results.json")
    guard !record.isTrial else { return }
    // One file a run in a folder is what PEFT's tools read.
    try FileManager.default.createDirectory(atPath: path + "/results", withIntermediateDirectories: true)
    try write(record.json(model: model, system: system).serialized(pretty: true) + "\n", to: "results/\(record.key.prefix(16)).json")
  }

  func write(_ text: String, to name: String) throws { try AtomicFile.write(text.utf8, to: "\(path)/\(name)") }

  /// Writes the table, the report and its pictures.
  func write(_ result: ComparisonResult) throws {
    try write(result.csv, to: "results.csv")
    let report = ComparisonReport(result)
    try write(report.html(), to: "report.html")
    try FileManager.default.createDirectory(atPath: path + "/plots", withIntermediateDirectories: true)
    for (name, picture) in report.pictures { try write(picture, to: "plots/\(name).svg") }
  }

  private static var system: JSON {
    var system = JSON.object(JSONObject())
    for (label, value) in Machine.description { system[label.lowercased()] = .string(value) }
    return system
  }
}
