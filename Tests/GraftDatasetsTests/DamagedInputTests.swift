import Foundation
import FuzzSupport
import GraftDatasets
import GraftTestSupport
import Testing

/// Damaged data files are refused with a word, or read as something.
@Suite("damaged data files")
struct DamagedInputTests {
  @Test(arguments: ["jsonl", "json", "csv", "tsv", "txt"])
  func dataFiles(of type: String) throws {
    let folder = try TemporaryDirectory()
    let object = #"{"prompt": "a \u00e9\n", "completion": " b", "ids": [1, 2], "messages": [{"role": "user", "content": "hi"}]}"#
    let text =
      switch type {
      case "jsonl": "\(object)\n\n\(object)\n"
      case "json": "[\(object),\n \(object)]"
      case "csv": "prompt,completion,label\n\"a, \"\"b\"\"\nc\",d,1\n\u{1F600},,\"2\"\r\n"
      case "tsv": "prompt\tcompletion\na\tb\n\"c\td\"\te\n"
      default: "A text.\r\n\nAnother line.\n"
      }
    let report = Fuzzing.bytes(like: [Array(text.utf8)], factor: 1000, isRefusal: { $0 is DatasetError }) { bytes in
      try DataFile.records(of: folder.write(bytes, to: "data.\(type)")).count
    }
    #expect(report.problems.isEmpty, "\(report.problems.prefix(5)) (seed \(Fuzzing.seed))")
    #expect(report.refused > report.count / 100, "\(report.refused) of \(report.count) were refused")
  }

  @Test func pipesAreRefusedBeforeTheyAreWaitedFor() throws {
    let folder = try TemporaryDirectory()
    let path = folder.file("pipe.jsonl")
    try #require(mkfifo(path, 0o600) == 0)
    #expect { try DataFile.records(of: path) } throws: { error in
      guard let error = error as? DatasetError else { return false }
      return error.kind == .noSuchFile && "\(error)".contains("is a pipe")
    }
  }
}
