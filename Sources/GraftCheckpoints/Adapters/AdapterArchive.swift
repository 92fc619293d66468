/// The HDF5 adapter file, version 1: the names of its parts and the limits of its reader.
///
/// ```
/// /                          format, format_version, generator
/// /base                      the base model's fingerprint
/// /adapters/NAME             method, peft_type, task_type, num_tensors, num_parameters, content_sha256
///   config                   JSON, the keys of adapter_config.json
///   manifest                 JSON, a list of {name, dtype, shape, sha256}
///   tensors/a/b/c.weight     one dataset per tensor, one group per component of its name
///   reparam/KEY, head/KEY    optional
///   training                 step, epoch, seed, best_metric; recipe, metrics, state
///     groups/GROUP           manifest and tensors/ of an optimizer's state
/// ```
public enum AdapterArchive {
  static let format = "graft-adapter"
  static let formatVersion = 1
  static let generator = "graft"

  static let maximumTensors = 100_000
  static let maximumDepth = 24
  static let maximumRank = 4
  static let maximumNameBytes = 1024
  static let maximumTextBytes = 256 << 20

  /// Returns true for a file that says of itself that it is one of these.
  public static func owns(_ path: String) -> Bool { (try? HDF5File.open(path).root().stringAttribute("format")) == format }

  /// The path of a tensor below `tensors/`: the groups, and the name of the dataset, which is the last component with
  /// the one before it when the last is "weight" or "bias" and the one before no number.
  static func place(of name: String) -> (groups: [String], dataset: String) {
    var groups = name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    var dataset = groups.removeLast()
    if dataset == "weight" || dataset == "bias", let owner = groups.last, Int(owner) == nil {
      dataset = owner + "." + dataset
      groups.removeLast()
    }
    return (groups, dataset)
  }

  /// Returns the reason why no tensor or adapter may be called `name`; nil where one may.
  static func objection(toName name: String) -> String? {
    if name.isEmpty { return "a name is empty" }
    if name.utf8.count > maximumNameBytes { return "a name is longer than \(maximumNameBytes) bytes" }
    if name.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F || $0 == 0x2F }) {
      return "the name '\(name)' holds a slash or a control character"
    }
    return nil
  }

  /// Returns the reason why no tensor may be called `name`; nil where one may.
  static func objection(toTensorName name: String) -> String? {
    if let objection = objection(toName: name) { return objection }
    let components = name.split(separator: ".", omittingEmptySubsequences: false)
    if components.contains("") { return "the name '\(name)' has an empty component" }
    if components.count > maximumDepth { return "the name '\(name)' has more than \(maximumDepth) components" }
    return nil
  }
}
