import Foundation
import GraftDatasets
import GraftJSON
import GraftTestSupport
import Testing

@Suite struct DataFileTests {
  private func records(_ content: [UInt8], _ name: String) throws -> [DataRecord] {
    let folder = try TemporaryDirectory()
    let file = try folder.write(content, to: name)
    do { return try DataFile.records(of: file) } catch {
      var error = error
      error.file = name
      throw error
    }
  }

  private func records(_ text: String, _ name: String) throws -> [DataRecord] { try records(Array(text.utf8), name) }

  private func message(_ text: String, _ name: String = "d.jsonl") -> String { message(Array(text.utf8), name) }

  private func message(_ bytes: [UInt8], _ name: String = "d.jsonl") -> String {
    do {
      _ = try records(bytes, name)
      return "no error"
    } catch { return "\(error)" }
  }

  @Test func jsonLinesKeepTheirNumbers() throws {
    let found = try records("\u{FEFF}{\"text\": \"a\"}\r\n\n  \n{\"text\": \"\u{2028}é\", \"n\": 1}", "d.jsonl")
    #expect(found.map(\.line) == [1, 4])
    #expect(found[1].fields["text"]?.string == "\u{2028}é")
    let array = try records("[{\"text\": \"a\\\"{[\"},\n\n {\"text\": {\n\"b\": [1]}},\n{}]", "d.json")
    #expect(array.map(\.fields) == [["text": "a\"{["], ["text": ["b": [1]]], [:]])
    #expect(array.map(\.line) == [1, 3, 5])
  }

  @Test func aListMayStandInAnObject() throws {
    let wrapped = try records("{\n \"data\": [\n{\"text\": \"a\"},\n{\"text\": \"b\"}]}", "d.json")
    #expect(wrapped.map(\.fields) == [["text": "a"], ["text": "b"]])
    #expect(wrapped.map(\.line) == [3, 4])
    // One record over several lines, and one whose only column is a list.
    #expect(try records("\n{\n\"text\": \"a\"\n}", "d.json").map(\.line) == [2])
    #expect(try records("{\"messages\": [{\"role\": \"user\"}]}", "d.json").map(\.fields) == [["messages": [["role": "user"]]]])
    #expect(try records("{\"text\": \"a\"}\n{\"text\": \"b\"}", "d.json").count == 2)
    #expect(try records("{\"data\": [{\"text\": \"a\"}]}", "d.jsonl")[0].fields.contains("data"))
  }

  @Test func brokenLinesAreNamed() {
    #expect(message("{\"text\": 1}\n{\"text\": \n").hasPrefix("d.jsonl:2: not JSON, at column"))
    #expect(message("{\"a\": 1}\n\n[1]\n").hasPrefix("d.jsonl:3: the line is an array, not an object"))
    #expect(message("{\"a\": 1}\n\"x\"").hasPrefix("d.jsonl:2: the line is a string"))
    #expect(message("").hasPrefix("d.jsonl: the file holds no records"))
    #expect(message("\n\n").hasPrefix("d.jsonl: the file holds no records"))
    #expect(message("x", "d.xml").hasPrefix("d.xml: '.xml' files are not known"))
  }

  @Test func bytesThatAreNotUTF8AreNamed() {
    #expect(
      message(Array("{\"a\": 1}\n{\"a\": \"\u{E9}".utf8) + [0xE9] + Array("\"}\n".utf8))
        == "d.jsonl:2: the byte 0xE9 is not UTF-8; save the file as UTF-8")
    #expect(message([0x61, 0x0A, 0x0A, 0xED, 0xA0, 0x80], "d.txt").hasPrefix("d.txt:3: the byte 0xED"))
    #expect(message([0xC3], "d.csv").hasPrefix("d.csv:1:"))
  }

  @Test func missingFilesAreNoMalformedOnes() {
    #expect { _ = try DataFile.records(of: "/nowhere/d.jsonl") } throws: { ($0 as? DatasetError)?.kind == .noSuchFile }
    #expect { _ = try DataFile.records(of: FileManager.default.temporaryDirectory.path) } throws: {
      ($0 as? DatasetError)?.kind == .noSuchFile
    }
  }

  @Test func delimitedFilesNameTheirColumns() throws {
    let csv = "text,label\r\nplain,0\r\n\r\n\"with, comma\",1\r\n\"two\nlines and \"\"quotes\"\"\",\r\n"
    let found = try records(csv, "d.csv")
    #expect(
      found.map(\.fields) == [
        ["text": "plain", "label": "0"], ["text": "with, comma", "label": "1"],
        ["text": "two\nlines and \"quotes\"", "label": ""],
      ])
    #expect(found.map(\.line) == [2, 4, 5])
    #expect(found.map(\.lineCount) == [1, 1, 2] && found.allSatisfy(\.isRow))
  }

  @Test func brokenRowsAreNamed() {
    #expect(message("a,b\n1,2\n1\n", "d.csv").hasPrefix("d.csv:3: the row has 1 fields, the header 2"))
    #expect(message("a,b\n1,\"2\n3\n4\n", "d.csv").hasPrefix("d.csv:2: a quote is never closed"))
    #expect(message("a,b\n\"1\"x,2\n", "d.csv").hasPrefix("d.csv:2: text follows a closing quote"))
    #expect(message("a,a\n1,2\n", "d.csv").hasPrefix("d.csv:1: two columns are called \"a\""))
    #expect(message("a,b\n", "d.csv").hasPrefix("d.csv: the file holds no records"))
  }

  @Test func aTextFileIsOneDocument() throws {
    let found = try records("one\ntwo\n", "d.txt")
    #expect(found.count == 1 && found[0].isDocument && found[0].fields["text"] == "one\ntwo\n")
  }
}
