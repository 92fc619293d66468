import Foundation

/// A file or directory that is being written under a hidden name beside its place, claimed by a lock that ends with the process.
///
/// The leavings of a killed process are thereby known from what another one is still writing.
struct PartialOutput {
  let path: String
  let descriptor: Int32

  /// Creates a hidden directory beside `place`, where what killed processes left for the same place is removed first.
  static func directory(for place: String) throws(CheckpointError) -> PartialOutput {
    removeAbandoned(for: place)
    while true {
      var template = template(for: place)
      guard mkdtemp(&template) != nil else { throw .writing(place) }
      let path = string(template)
      let descriptor = open(path, O_RDONLY | O_CLOEXEC)
      let claim = PartialOutput(path: path, descriptor: descriptor)
      if claim.isHeld {
        chmod(path, 0o777 & ~creationMask)
        return claim
      }
      claim.remove()
    }
  }

  /// Creates a hidden file beside `place`, open for writing, where what killed processes left for the same place is removed first.
  static func file(for place: String) throws(CheckpointError) -> PartialOutput {
    removeAbandoned(for: place)
    while true {
      var template = template(for: place)
      let descriptor = mkstemp(&template)
      guard descriptor >= 0 else { throw .writing(place) }
      let claim = PartialOutput(path: string(template), descriptor: descriptor)
      if claim.isHeld {
        fchmod(descriptor, 0o666 & ~creationMask)
        return claim
      }
      claim.remove()
    }
  }

  /// Takes the lock. False where another process took the fresh file for an abandoned one and removed it.
  private var isHeld: Bool {
    (flock(descriptor, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) && FileIdentity(path) != nil
  }

  /// Gives up the claim; the file stays.
  func release() { if descriptor >= 0 { close(descriptor) } }

  func remove() {
    removeTree(path)
    release()
  }

  // MARK: Names

  private static let mark = ".partial-", replacedMark = ".replaced-"

  /// Returns true for the name of something half written, of whatever place.
  static func isPartial(_ name: String) -> Bool {
    name.hasPrefix(".") && [mark, replacedMark].contains { name.dropLast(6).hasSuffix($0) }
  }

  /// A name for a directory that is about to be replaced in two steps.
  static func replacedName(for place: String) -> String {
    "\(place.parentDirectory)/.\(place.lastComponent)\(replacedMark)\(String(format: "%06d", getpid() % 1_000_000))"
  }

  private static func template(for place: String) -> [CChar] {
    Array("\(place.parentDirectory)/.\(place.lastComponent)\(mark)XXXXXX".utf8CString)
  }

  private static func string(_ characters: [CChar]) -> String {
    String(decoding: characters.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  private static var creationMask: mode_t {
    let mask = umask(0)
    umask(mask)
    return mask
  }

  // MARK: What killed processes left

  /// Removes what nobody writes any more, and brings back a directory that was put aside when its writer was killed.
  static func removeAbandoned(for place: String) {
    let folder = place.parentDirectory
    let name = place.lastComponent
    for entry in (try? directoryEntries(folder)) ?? [] {
      if entry.hasPrefix(".\(name)\(mark)"), entry.count == name.count + mark.count + 7 {
        removeIfAbandoned("\(folder)/\(entry)")
      } else if entry.hasPrefix(".\(name)\(replacedMark)"), FileKind(of: place) != .nothing || rename("\(folder)/\(entry)", place) != 0 {
        removeIfAbandoned("\(folder)/\(entry)")
      }
    }
  }

  private static func removeIfAbandoned(_ path: String) {
    let descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { removeTree(path) }
  }
}

/// Removes a file, or a directory with all in it.
func removeTree(_ path: String) { try? FileManager.default.removeItem(atPath: path) }
