import Foundation
import GraftJSON
import GraftTemplates
import GraftTestSupport
import Testing

/// Templates rendered by Transformers, from `Scripts/make-chat-template-goldens.py`.
private struct Goldens: Sendable {
  let json: JSON
  let templates: [String: ChatTemplate]

  static let fixtures = Fixtures("GraftTemplatesTests")

  static let names = Repository.names(in: "Tests/GraftTemplatesTests/Fixtures/templates", endingWith: ".jinja").map {
    String($0.dropLast(6))
  }

  static let loaded = Result { try Goldens() }

  init() throws {
    json = try Self.fixtures.json("goldens.json")
    templates = try Dictionary(
      uniqueKeysWithValues: Self.names.map { name in
        (name, try ChatTemplate(Self.fixtures.text("templates/\(name).jinja"), name: name))
      })
  }

  func rows(of template: String) -> [JSON] {
    (json["cases"]?.array ?? []).filter { $0["template"]?.string == template }
  }

  func render(_ row: JSON) throws -> RenderedChat {
    let template = try #require(templates[row["template"]?.string ?? ""])
    var specialTokens: [String: String] = [:]
    for (name, token) in json["special_tokens"]?.object ?? [:] { specialTokens[name] = token.string }
    var variables: [String: JSON] = [:]
    for (name, value) in row["variables"]?.object ?? [:] where name != "documents" { variables[name] = value }
    return try template.render(
      messages: json["conversations"]?[row["conversation"]?.string ?? ""]?.array ?? [],
      tools: row["tools"]?.bool == true ? json["tools"]?.array : nil,
      documents: row["variables"]?["documents"]?.array,
      addGenerationPrompt: row["prompt"]?.bool ?? false,
      specialTokens: specialTokens, variables: variables,
      date: Date(timeIntervalSince1970: json["now"]?.double ?? 0), timeZone: .gmt)
  }
}

@Suite struct ChatTemplateGoldenTests {
  @Test func coverEveryTemplate() throws {
    let goldens = try Goldens.loaded.get()
    #expect(Goldens.names.count >= 25)
    for name in Goldens.names { #expect(!goldens.rows(of: name).isEmpty, "\(name)") }
    let spans = (goldens.json["cases"]?.array ?? []).filter { $0["spans"] != nil }
    #expect(spans.count > 30)
  }

  @Test(arguments: Goldens.names)
  func rendersAsTransformers(_ name: String) throws {
    let goldens = try Goldens.loaded.get()
    for row in goldens.rows(of: name) {
      let label = "\(name), \(row["conversation"]?.string ?? ""), \(row.serialized().prefix(200))"
      do {
        let rendered = try goldens.render(row)
        let expected = try #require(row["text"]?.string, "\(label) should fail: \(row["error"]?.string ?? "")")
        #expect(Array(rendered.text.utf8) == Array(expected.utf8), "\(label): \(rendered.text)")
        let spans = (row["spans"]?.array ?? []).map { ($0[0]?.int ?? 0)..<($0[1]?.int ?? 0) }
        #expect(rendered.assistantSpans == spans, "\(label)")
      } catch let error as ChatTemplateError {
        #expect(row["error"]?.string == "\(error.kind)", "\(label): \(error)")
        if error.kind == .raised { #expect(row["message"]?.string == error.message) }
        #expect(error.template == name)
      }
    }
  }
}
