import GraftDatasets
import GraftJSON

extension DataReport {
  /// The whole report as one document.
  public var json: JSON {
    [
      "model": .string(modelName), "task": .string(task.rawValue), "max_length": review.maxLength.map(JSON.integer) ?? .null,
      "refused": .bool(review.isRefused), "train": Self.json(of: review.train, maxLength: review.maxLength),
      "eval": review.held.map { Self.json(of: $0, maxLength: review.maxLength) } ?? .null,
      "findings": .array(review.findings.map(Self.json(of:))), "notes": .array(notes.map(JSON.string)),
      "examples": .array(examples.map(Self.json(of:))),
    ]
  }

  /// The shares of records whose lengths are told.
  public static let quantiles = [0.5, 0.9, 0.95, 0.99, 1]

  private static func json(of part: DataReview.Part, maxLength: Int?) -> JSON {
    let lengths = JSONObject(quantiles.map { (String(Int(($0 * 100).rounded())), .integer(part.length(keeping: $0))) })
    return [
      "files": .array(part.files.map(JSON.string)), "format": part.format.map { .string($0.rawValue) } ?? .null,
      "records": .integer(part.recordCount), "examples": .integer(part.exampleCount), "tokens": .integer(part.report.tokenCount),
      "trained_tokens": .integer(part.report.scoredTokenCount), "without_loss": .integer(part.report.droppedCount),
      "lengths": .object(lengths), "share_cut": maxLength.map { .number(part.share(longerThan: $0)) } ?? .null,
      "ends": .integer(part.endCount), "ends_trained": .integer(part.trainedEndCount),
      "labels": .array(part.labelCounts.map { ["name": .string($0.name), "count": .integer($0.count)] }),
    ]
  }

  private static func json(of finding: DataFinding) -> JSON {
    let places = finding.places.map { place -> JSON in
      [
        "file": .string(place.file), "line": place.line.map(JSON.integer) ?? .null, "detail": place.detail.map(JSON.string) ?? .null,
        "held_out": .bool(place.isHeldOut),
      ]
    }
    return ["kind": .string(finding.kind.rawValue), "count": .integer(finding.count), "places": .array(places)]
  }

  private static func json(of example: RenderedExample) -> JSON {
    [
      "file": .string(example.place.file), "line": example.place.line.map(JSON.integer) ?? .null, "held_out": .bool(example.place.isHeldOut),
      "tokens": .integer(example.tokenCount), "label": example.label.map(JSON.string) ?? .null,
      "source": example.source.map(JSON.string) ?? .null,
      "parts": .array(example.parts.map { ["text": .string($0.text), "trained": .bool($0.isTrained)] }),
    ]
  }
}
