import Foundation
import GraftAdapters
import GraftCheckpoints
import GraftFiles
import GraftJSON
import GraftModels
import GraftTensors

/// The content of a model, adapter, run, safetensors or GGUF file.
public struct Inspection {
  /// The content, as `graft inspect --json` prints it.
  public let json: JSON

  /// - Parameters:
  ///   - model: the base of an adapter, which tells what it adapts there and how far it moves the weights.
  ///   - intruders: the search for singular vectors of the adapted weights that the base's do not resemble; nil for none.
  /// - Throws: `CheckpointError` where the path is none of them, or damaged; `SessionError` for a base of what is no adapter.
  public init(of path: String, model: String? = nil, intruders: IntruderSearch? = nil) throws {
    let manager = FileManager.default
    func exists(_ name: String) -> Bool { manager.fileExists(atPath: path + "/" + name) }
    if path.hasSuffix(".safetensors") {
      let file = try SafetensorsFile(path)
      json = Self.weights(
        "safetensors", path, file.descriptions,
        extra: ["metadata": .object(JSONObject(file.metadata.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) }))])
    } else if path.hasSuffix(".json") {
      json = ["kind": "config", "path": .string(path), "architecture": try Architecture(of: readJSON(path), source: path).json]
    } else if path.hasSuffix(".gguf") {
      json = try GGUFFile(path).summary
    } else if path.hasSuffix(".h5") || exists("adapter.h5") || exists("adapter_config.json") {
      json = try Self.adapter(path, model: model, summary: exists("summary.json") ? readJSON(path + "/summary.json") : nil, intruders: intruders)
    } else if exists("model/config.json") && !exists("config.json") {
      json = try Self.model(path + "/model")
    } else {
      json = try Self.model(path)
    }
    guard intruders == nil || model != nil else {
      throw SessionError(.usage, "--intruders: compares the adapted weights with the base's; give the base with --model")
    }
    guard model == nil || json["kind"]?.string == "adapter" else {
      throw SessionError(.usage, "--model: \(path) is no adapter that a base could be given for; leave it out")
    }
  }

  private static func model(_ path: String) throws -> JSON {
    let configuration = try Checkpoint.configuration(in: path)
    let checkpoint = try Checkpoint(ofModel: path)
    var facts: JSON = ["bytes": .integer(checkpoint.byteCount)]
    // What holds weights of a kind that cannot be built can be looked into all the same.
    do {
      facts["architecture"] = try Architecture(of: configuration, source: "config.json").json
    } catch let error as ArchitectureError {
      facts["architecture_error"] = .string(error.description)
    }
    facts["config"] = configuration
    let file = try GenerationFile(in: path, configuration: ArchitectureConfiguration(configuration, source: "config.json"))
    if let wishes = GenerationConfiguration.summary(of: file, vocabularySize: configuration["vocab_size"]?.int ?? .max) {
      facts["generation"] = wishes
    }
    return weights("model", path, checkpoint.descriptions, extra: facts)
  }

  private static func adapter(_ path: String, model: String?, summary: JSON?, intruders search: IntruderSearch?) throws -> JSON {
    let file = try AdapterFile.read(path)
    let session = try model.map { try ModelSession(model: $0, adapter: path) }
    let adapters = try file.adapters.map { adapter -> JSON in
      let intruders = search.flatMap { session?.adapters.deltas.first?.intruders($0) } ?? [:]
      let modules = try session?.adapters.deltas.first?.modules ?? ModuleReport.modules(of: adapter)
      var norm = 0.0
      for tensor in adapter.tensors { norm += tensor.tensor.converted(to: .float32).sumOfSquares }
      return [
        "name": .string(adapter.name), "peft_type": .string(adapter.peftType), "task_type": adapter.taskType.map(JSON.string) ?? .null,
        "parameters": .integer(adapter.parameterCount), "norm": .number(norm.squareRoot()), "content_sha256": .string(adapter.contentSHA256),
        "config": adapter.configuration, "modules": .array(modules.map { Self.facts(of: $0, intruders: intruders[$0.path]) }),
        "tensors": tensors(adapter.tensors.map(\.description)),
      ]
    }
    var json: JSON = ["kind": "adapter", "path": .string(path), "adapters": .array(adapters)]
    if let base = file.base {
      json["base"] = [
        "name": base.name.map(JSON.string) ?? .null, "model_type": base.modelType.map(JSON.string) ?? .null,
        "weights_sha256": base.weightsSHA256.map(JSON.string) ?? .null, "tokenizer_sha256": base.tokenizerSHA256.map(JSON.string) ?? .null,
      ]
    }
    if let summary { json["summary"] = summary }
    return json
  }

  private static func facts(of module: ModuleReport, intruders: Int?) -> JSON {
    var facts: JSON = [
      "path": .string(module.path), "kind": module.kind.map(JSON.string) ?? .null,
      "shape": module.shape.map { .array($0.map(JSON.integer)) } ?? .null,
      "rank": module.rank.map(JSON.integer) ?? .null, "parameters": .integer(module.parameterCount),
      "change_norm": module.changeNorm.map(JSON.number) ?? .null,
    ]
    if let intruders { facts["intruders"] = .integer(intruders) }
    return facts
  }

  private static func weights(_ kind: String, _ path: String, _ descriptions: [TensorDescription], extra: JSON) -> JSON {
    var json: JSON = [
      "kind": .string(kind), "path": .string(path), "tensor_count": .integer(descriptions.count),
      "parameters": .integer(descriptions.reduce(0) { $0 + $1.elementCount }), "bytes": .integer(descriptions.reduce(0) { $0 + $1.byteCount }),
    ]
    for (key, value) in extra.object ?? JSONObject() { json[key] = value }
    json["tensors"] = tensors(descriptions)
    return json
  }

  private static func tensors(_ descriptions: [TensorDescription]) -> JSON {
    .array(
      descriptions.map {
        ["name": .string($0.name), "dtype": .string("\($0.elementType)"), "shape": .array($0.shape.map(JSON.integer))]
      })
  }

  /// Models side by side.
  /// - Throws: `SessionError` for what is no model.
  public static func comparison(of inspections: [Inspection]) throws -> String {
    let architectures = try inspections.map { inspection in
      guard let json = inspection.json["architecture"] else {
        throw SessionError(
          .usage, "\(inspection.json["path"]?.string ?? ""): \(inspection.json["architecture_error"]?.string ?? "no model"); give two models")
      }
      return Architecture(json: json)
    }
    return Architecture.text(architectures, titles: inspections.map { $0.json["path"]?.string?.printable ?? "" })
  }

  /// For reading: facts first, then one line a tensor.
  public var text: String { Self.lines(json, indent: "").joined(separator: "\n") }

  private static func lines(_ json: JSON, indent: String) -> [String] {
    var lines: [String] = []
    for (key, value) in json.object ?? JSONObject() {
      if key == "architecture", value.object != nil {
        lines += Architecture(json: value).text.split(separator: "\n").map { indent + String($0).printable }
      } else if key == "tensors" {
        lines.append("\(indent)tensors:")
        for tensor in value.array ?? [] {
          let shape = (tensor["shape"]?.array ?? []).compactMap { $0.int.map(String.init) }.joined(separator: ", ")
          lines.append("\(indent)  \(tensor["name"]?.string?.printable ?? "")  [\(shape)]  \(tensor["dtype"]?.string ?? "")")
        }
      } else if key == "modules" {
        lines.append("\(indent)modules:")
        lines += ModuleTree(value.array ?? []).lines.map { indent + "  " + $0 }
      } else if let array = value.array, array.contains(where: { $0.object != nil }) {
        for element in array {
          lines.append("\(indent)\(key.printable):")
          lines += Self.lines(element, indent: indent + "  ")
        }
      } else if value.object != nil {
        lines.append("\(indent)\(key.printable):")
        lines += Self.lines(value, indent: indent + "  ")
      } else {
        lines.append("\(indent)\(key.printable): \((value.string ?? value.serialized()).printable)")
      }
    }
    return lines
  }
}
