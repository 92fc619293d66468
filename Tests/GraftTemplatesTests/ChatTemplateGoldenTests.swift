import Foundation
import GraftJSON
import GraftTemplates
import Testing

/// What Transformers renders, from `Scripts/make-chat-template-goldens.py`.
private struct Goldens: Sendable {
  let json: JSON
  let templates: [String: ChatTemplate]

  static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures")

  static let names: [String] = {
    let files = try? FileManager.default.contentsOfDirectory(atPath: folder.appending(path: "templates").path)
    return (files ?? []).filter { $0.hasSuffix(".jinja") }.map { String($0.dropLast(6)) }.sorted()
  }()

  static let loaded = Result { try Goldens() }

  init() throws {
    json = try JSON(parsing: Data(contentsOf: Self.folder.appending(path: "goldens.json")))
    templates = try Dictionary(
      uniqueKeysWithValues: Self.names.map { name in
        let file = Self.folder.appending(path: "templates/\(name).jinja")
        return (name, try ChatTemplate(String(contentsOf: file, encoding: .utf8), name: name))
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
