import Foundation
import GraftJSON
import GraftReports
import GraftSessions
import GraftTestSupport
import Testing

/// The course of a run as its log tells it to a run that goes on.
@Suite struct RunHistoryTests {
  /// Layers name their losses themselves.
  @Test func lossesOfLayersAreKnownByAnyName() throws {
    let others = try #require(TrainingReport.Point(["step": 3, "loss": 1.5, "tokens": 12, "router_balance": 0.25, "aux_loss": 2])).others
    #expect(others.map(\.name) == ["router_balance", "aux_loss"] && others.map(\.value) == [0.25, 2])
  }

  @Test func keysOfEveryTrainingAreNoLossesOfLayers() throws {
    let folder = try TinyRun.folder(count: 4)
    _ = try TinyRun("max_steps: 2, precision: fp16", in: folder)
    let lines = try String(contentsOfFile: folder.file("run/metrics.jsonl"), encoding: .utf8).split(separator: "\n")
    for line in lines {
      let json = try JSON(parsing: String(line))
      let point = try #require(TrainingReport.Point(json))
      #expect(json["loss_scale"] != nil && json["skipped_steps"] != nil && point.others.isEmpty, "\(point.others)")
    }
    #expect(lines.count == 2)
  }
}
