import GraftCheckpoints
import GraftJSON
import GraftTensors

/// The keys that a model's file has under the name of its architecture, with the names of its tensors.
public struct GGUFKeys {
  package let file: GGUFShards
  /// The value of `general.architecture`.
  public let architecture: String

  /// - Throws: `ArchitectureError` for a file that is no model's.
  package init(_ file: GGUFShards) throws(ArchitectureError) {
    guard let architecture = file["general.architecture"]?.string, file["general.type"]?.string ?? "model" == "model" else {
      throw ArchitectureError("\(file.path): holds no model; name the GGUF file of one")
    }
    (self.file, self.architecture) = (file, architecture)
  }

  private func value(_ key: String) -> GGUFValue? { file["\(architecture).\(key)"] }

  /// Returns true where the file has a value under the key.
  public func contains(_ key: String) -> Bool { value(key) != nil }

  /// Returns true where the file has a tensor of that name.
  public func hasTensor(_ name: String) -> Bool { file.entry(of: name) != nil }

  /// Returns a whole number.
  /// - Throws: `ArchitectureError` where it is missing, and where it differs from layer to layer.
  public func count(_ key: String) throws(ArchitectureError) -> Int {
    guard let count = value(key)?.int, (0...ArchitectureConfiguration.largestInteger).contains(count) else {
      throw fail(key, contains(key) ? "is no whole number that all layers have" : "missing")
    }
    return count
  }

  /// Returns a whole number, or `value` where the key is missing.
  public func count(_ key: String, default value: Int) throws(ArchitectureError) -> Int { contains(key) ? try count(key) : value }

  /// Returns a number as JSON has it: the shortest that stands for the same float32.
  /// - Throws: `ArchitectureError` where it is missing or not finite.
  public func number(_ key: String) throws(ArchitectureError) -> JSON {
    let found = value(key)
    guard let number = found?.double ?? found?.int.map(Double.init), number.isFinite else {
      throw fail(key, contains(key) ? "is no finite number" : "missing")
    }
    return .number(Double("\(Float(number))") ?? number)
  }

  /// Returns a number, or `value` where the key is missing.
  public func number(_ key: String, default value: JSON) throws(ArchitectureError) -> JSON { contains(key) ? try number(key) : value }

  /// Returns a text; nil where the key is missing.
  public func text(_ key: String) -> String? { value(key)?.string }

  /// The values of a vector, such as the factors of rotary frequencies; nil where there is none.
  func vector(_ name: String) throws -> [Float]? { hasTensor(name) ? try file.tensor(name).converted(to: .float32).values : nil }

  /// The number of the table's rows, one for each token.
  func rows(of table: String) throws(ArchitectureError) -> Int {
    guard let rows = file.entry(of: table)?.shape.first else { throw ArchitectureError("\(file.path): has no tensor \(table); fetch the file again") }
    return rows
  }

  /// Returns the error of a key, to be thrown.
  public func fail(_ key: String, _ problem: String) -> ArchitectureError { ArchitectureError("\(file.path): \(architecture).\(key): \(problem)") }
}
