import Foundation

extension TokenizerConfiguration {
  /// The Jinja template that turns messages into a prompt: the default one, where there are several.
  public var chatTemplate: String? { chatTemplates["default"] }

  /// The template for a conversation: with tools the one called `tool_use`, where there is one, otherwise the default.
  public func chatTemplate(withTools: Bool) -> String? {
    (withTools ? chatTemplates["tool_use"] : nil) ?? chatTemplate
  }

  /// `chat_template.jinja` as `default`, and the templates of `additional_chat_templates/` by their names.
  static func templateFiles(in directory: URL) throws(TokenizerError) -> [String: String] {
    let folder = directory.appending(path: "additional_chat_templates")
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path(percentEncoded: false))) ?? []
    var files = [("default", directory.appending(path: "chat_template.jinja"))]
    files += names.sorted().filter { $0.hasSuffix(".jinja") }.map { (String($0.dropLast(6)), folder.appending(path: $0)) }
    var templates: [String: String] = [:]
    for (name, file) in files where FileManager.default.fileExists(atPath: file.path(percentEncoded: false)) {
      guard var bytes = try? Data(contentsOf: file) else {
        throw TokenizerError(file.path(percentEncoded: false), "cannot be read", fix: "check the file's permissions")
      }
      if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes = bytes.dropFirst(3) }
      guard let text = String(validating: bytes, as: UTF8.self) else {
        throw TokenizerError(file.path(percentEncoded: false), "is not UTF-8 text", fix: "save the template as UTF-8")
      }
      templates[name] = text
    }
    return templates
  }
}
