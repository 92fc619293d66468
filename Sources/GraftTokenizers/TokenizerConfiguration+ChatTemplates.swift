import Foundation
import GraftFiles

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
    let names = try entries(ifPresentIn: folder.path(percentEncoded: false))
    var files = [("default", directory.appending(path: "chat_template.jinja"))]
    files += names.sorted().filter { $0.hasSuffix(".jinja") }.map { (String($0.dropLast(6)), folder.appending(path: $0)) }
    var templates: [String: String] = [:]
    for (name, file) in files where FileManager.default.fileExists(atPath: file.path(percentEncoded: false)) {
      do { templates[name] = try TextFile.text(of: file.path(percentEncoded: false)) } catch { throw TokenizerError(error) }
    }
    return templates
  }

  /// The names in a directory; none where there is no such directory.
  private static func entries(ifPresentIn path: String) throws(TokenizerError) -> [String] {
    guard FileManager.default.fileExists(atPath: path) else { return [] }
    do { return try FileManager.default.contentsOfDirectory(atPath: path) } catch {
      throw TokenizerError(FileError.input(path, FileError(foundation: error)?.kind == .missing ? EACCES : EIO))
    }
  }
}
