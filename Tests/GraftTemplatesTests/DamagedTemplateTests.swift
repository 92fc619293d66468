import Foundation
import FuzzSupport
import GraftJSON
import GraftTestSupport
import GraftTemplates
import Testing

/// Damaged chat templates are refused with a word, or render: no crash, nothing endless.
@Suite("damaged templates")
struct DamagedTemplateTests {
  @Test func templates() throws {
    let folder = "Tests/GraftTemplatesTests/Fixtures/templates"
    let seeds = try Repository.names(in: folder, endingWith: "").map { Array(try Repository.text("\(folder)/\($0)").utf8) }.filter { $0.count < 4000 }
    let messages: [JSON] = [
      ["role": "system", "content": "Be brief."], ["role": "user", "content": "Hi {{"], ["role": "assistant", "content": "Hello"],
    ]
    let report = Fuzzing.bytes(like: seeds, factor: 1000, isRefusal: { $0 is ChatTemplateError }) { bytes in
      let template = try ChatTemplate(String(decoding: bytes, as: UTF8.self))
      return try template.render(messages: messages, addGenerationPrompt: true, specialTokens: ["bos_token": "<s>"]).text.utf8.count
    }
    #expect(report.problems.isEmpty, "\(report.problems.prefix(5)) (seed \(Fuzzing.seed))")
    #expect(report.refused > report.count / 20, "\(report.refused) of \(report.count) were refused")
  }
}
