import Foundation

extension FileError {
  /// The failure that an error of Foundation's stands for; `nil` for errors that are not about files.
  ///
  /// Foundation tells the system's code as an underlying error, or only a code of its own.
  public init?(foundation error: any Error) {
    guard let error = Parts(error) else { return nil }
    let path = error.path ?? "a file"
    let isWriting = error.domain == NSCocoaErrorDomain && (512..<768).contains(error.code)
    if let code = error.systemCode {
      self = isWriting ? .writing(path, code) : .reading(path, code)
      return
    }
    guard error.domain == NSCocoaErrorDomain else { return nil }
    switch CocoaError.Code(rawValue: error.code) {
    case .fileNoSuchFile, .fileReadNoSuchFile: self = .reading(path, ENOENT)
    case .fileReadNoPermission: self = .reading(path, EACCES)
    case .fileReadTooLarge: self = .reading(path, ENOMEM)
    case .fileReadInapplicableStringEncoding: self.init(.inputOutput, path, "is not UTF-8 text", remedy: "save it as UTF-8")
    case .fileWriteOutOfSpace: self = .writing(path, ENOSPC)
    case .fileWriteNoPermission: self = .writing(path, EACCES)
    case .fileWriteVolumeReadOnly: self = .writing(path, EROFS)
    case .fileWriteFileExists: self = .writing(path, EEXIST)
    default: self = isWriting ? .writing(path, EIO) : .reading(path, EIO)
    }
  }

  /// The parts of an error of Foundation's, in whichever of its forms it comes.
  private struct Parts {
    let domain: String
    let code: Int
    private let information: [String: Any]

    init?(_ error: any Error) {
      // Every error can be made an NSError, also those of the program that are none of Foundation's.
      guard error is CocoaError || error is POSIXError || type(of: error) is NSError.Type else { return nil }
      let error = error as NSError
      (domain, code, information) = (error.domain, error.code, error.userInfo)
    }

    var path: String? {
      (information[NSFilePathErrorKey] as? String) ?? (information[NSURLErrorKey] as? URL)?.path(percentEncoded: false)
    }

    var systemCode: Int32? {
      if domain == NSPOSIXErrorDomain { return Int32(truncatingIfNeeded: code) }
      return (information[NSUnderlyingErrorKey] as? any Error).flatMap(Parts.init)?.systemCode
    }
  }
}
