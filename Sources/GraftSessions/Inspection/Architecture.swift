import GraftBatching
import GraftJSON
import GraftLayers
import GraftModels
import GraftTensors

/// The architecture that a `config.json` describes, drawn without reading or drawing a weight.
public struct Architecture {
  /// The drawing as `graft inspect --json` has it: sizes, counts, and stacks of layers of which equal ones are folded.
  public let json: JSON

  /// - Parameters:
  ///   - configuration: the content of a `config.json`.
  ///   - source: its path, for messages.
  /// - Throws: `ArchitectureError` where no model can be built of it.
  public init(of configuration: JSON, source: String) throws {
    let request = ModelRequest(ArchitectureConfiguration(configuration, source: source), task: LearningTask(of: configuration))
    self.init(of: try ModelFamily.build(request, in: Scope(outlining: SiteCatalog())))
  }

  /// The architecture of a model that is built.
  public init(of model: any Model) {
    let outline = model.outline
    let count = model.catalog.parameterCount
    var json: JSON = [
      "model_type": .string(model.modelType), "parameters": .integer(count), "active_parameters": .integer(count - (outline?.idleParameters ?? 0)),
      "vocabulary_size": .integer(model.vocabularySize), "hidden_size": .integer(model.hiddenSize),
      "head": .string(Self.headWords(of: model.catalog)),
    ]
    if let outline { Self.add(outline, to: &json) }
    self.json = json
  }

  /// A drawing that was kept.
  package init(json: JSON) { self.json = json }

  private static func headWords(of catalog: SiteCatalog) -> String {
    if let head = catalog.linears.first(where: { $0.role == .languageModelHead }) { return head.ownsWeight ? "own matrix" : "tied to the embedding" }
    return catalog.linears.contains { $0.role == .classifier } ? "classifier" : "none"
  }

  private static func add(_ outline: ModelOutline, to json: inout JSON) {
    json["positions"] = .string(outline.positions)
    json["final_norm"] = outline.finalNorm.map(JSON.string) ?? .null
    json["stacks"] = .array(
      outline.stacks.map { stack in
        let groups = stack.groups.map { range, sublayers -> JSON in
          [
            "layers": .array([.integer(range.lowerBound), .integer(range.upperBound)]), "sublayers": .array(sublayers.map(Self.json)),
          ]
        }
        return ["name": .string(stack.name), "layers": .integer(stack.layers.count), "groups": .array(groups)]
      })
    let bytes = ElementFormat.float32.bytes(for: 1)
    let kept = [
      ("cache_bytes_per_token", outline.keptPerToken), ("cache_bytes_in_windows", outline.keptInWindows),
      ("cache_bytes_per_source_token", outline.keptPerSourceToken), ("state_bytes", outline.keptPerSequence),
    ]
    for (name, elements) in kept where elements > 0 { json[name] = .integer(bytes * elements) }
  }

  private static func json(of sublayer: SublayerOutline) -> JSON {
    var json: JSON = ["kind": .string(sublayer.kind)]
    for fact in sublayer.facts {
      switch fact.value {
      case .count(let count): json[fact.name] = .integer(count)
      case .number(let number): json[fact.name] = .number(Double(number))
      case .text(let text): json[fact.name] = .string(text)
      }
    }
    return json
  }

  /// The drawing, a fact a line.
  public var text: String { Self.text([self], titles: []) }

  /// Drawings side by side, line by line as far as they have the same lines.
  /// - Parameter titles: a heading for each; none where empty.
  public static func text(_ architectures: [Architecture], titles: [String]) -> String {
    let columns = architectures.map { DrawingRow.rows(of: $0.json) }
    let labels = columns.dropFirst().reduce(columns.first?.map(\.label) ?? []) { DrawingRow.merged($0, $1.map(\.label)) }
    var lines = titles.isEmpty ? [] : [[""] + titles]
    var rest = columns.map { $0[...] }
    for label in labels {
      let values = rest.indices.map { index -> String in
        guard rest[index].first?.label == label else { return "" }
        return rest[index].removeFirst().value
      }
      lines.append([label.text] + values)
    }
    return DrawingRow.aligned(lines)
  }
}
