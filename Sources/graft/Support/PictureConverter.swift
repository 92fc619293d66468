import Foundation
import GraftSessions

/// Draws SVG files as PNG files by librsvg's program.
///
/// Letters are the reason for a program: shaping those of any script takes fonts and a library for them, which slides want and training must not
/// depend on.
struct PictureConverter {
  private let program: String
  /// Dots for each unit of a picture: 420 or 880 units fill a slide.
  private static let scale = "3"

  /// - Throws: `SessionError` where there is no such program.
  init() throws {
    let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin").split(separator: ":")
    let found = folders.map { "\($0)/rsvg-convert" }.first { FileManager.default.isExecutableFile(atPath: $0) }
    guard let found else {
      throw SessionError(
        .usage, "--png: rsvg-convert is not installed; install librsvg2-bin (Debian, Ubuntu) or librsvg (Homebrew), or take the .svg files of plots/")
    }
    program = found
  }

  /// Draws every picture of a folder beside it.
  /// - Returns: how many.
  /// - Throws: `SessionError` where the program fails.
  func convert(in folder: String) throws -> Int {
    let names = ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).filter { $0.hasSuffix(".svg") && !$0.hasPrefix(".") }.sorted()
    guard !names.isEmpty else { throw SessionError(.usage, "\(folder): holds no pictures; give the folder of a comparison or of a report") }
    for name in names { try convert("\(folder)/\(name)", to: "\(folder)/\(name.dropLast(4)).png", over: "\(folder)/.\(name).partial-png") }
    return names.count
  }

  private func convert(_ source: String, to target: String, over partial: String) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = ["--zoom", Self.scale, "--output", partial, "--", source]
    process.standardInput = FileHandle.nullDevice
    do { try process.run() } catch { throw SessionError(.usage, "\(program): cannot be run; take the .svg files of plots/") }
    process.waitUntilExit()
    guard process.terminationStatus == 0, rename(partial, target) == 0 else {
      try? FileManager.default.removeItem(atPath: partial)
      throw SessionError(.data, "\(target): rsvg-convert could not draw it; take \(source)")
    }
  }
}
