import Foundation
import GraftBatching
import GraftDatasets
import GraftJSON
import GraftTestSupport
import Testing

/// Files that are not held in memory make the examples, batches and errors of those that are.
@Suite(.serialized) struct LargeDataTests {
  private let folder: TemporaryDirectory
  private static let fields = (0..<3000).map { #"{"text": "\#(String(repeating: "ab c", count: $0 * 7 % 23)) \#($0)"}"# }

  init() throws {
    CacheFolder.use()
    folder = try TemporaryDirectory()
  }

  private func encoder(maxLength: Int? = 24, cuts: Bool = false) -> ExampleEncoder {
    ExampleEncoder(tokenizer: CharacterTokenizer(), task: .causalLM, maxLength: maxLength, cutsTextsIntoWindows: cuts)
  }

  @Test func recordsAndTheirLinesAreThoseOfAFileInMemory() throws {
    var text = "\u{FEFF}"
    for (index, line) in Self.fields.enumerated() { text += line + (index % 3 == 0 ? "\r\n \n\n" : "\n") }
    let path = try folder.write(text.dropLast().utf8, to: "d.jsonl")
    let (memory, lines) = (try DataFile.records(of: path), try RecordList(of: [path], readingLimit: 10))
    #expect(lines.isLarge && lines.count == 3000 && memory.count == 3000)
    for index in memory.indices { #expect(try lines[index] == memory[index]) }
    #expect(try lines.choosing([5, 2999, 5])[1] == memory[2999])
    let both = RecordList(Array(memory.prefix(2))) + lines.choosing([7, 8])
    #expect(try both.count == 4 && both[3] == memory[8] && both[1] == memory[1])
  }

  @Test func faultsAreToldWithTheirLines() throws {
    let path = try folder.write((Self.fields.joined(separator: "\n") + "\n\n{\"text\": \n").utf8, to: "d.jsonl")
    let list = try RecordList(of: [path], readingLimit: 10)
    #expect { _ = try list[3000] } throws: { "\($0)".hasPrefix("\(path):3002: not JSON") }
    let bad = try RecordList(
      of: [folder.write(Array("{\"text\": \"a\"}\n{\"text\": \"".utf8) + [0xFF, 0x22, 0x7D], to: "b.jsonl")], readingLimit: 10)
    #expect { _ = try bad[1] } throws: { "\($0)".contains(":2: the line is not UTF-8") }
  }

  @Test func compressedLinesAreThoseOfThePlainFile() throws {
    let fixtures = Fixtures("GraftDatasetsTests")
    let plain = try DataFile.records(of: fixtures.path("lines.jsonl")).map(\.fields)
    for name in ["lines.jsonl.gz", "lines.jsonl.zst"] {
      #expect(try DataFile.records(of: fixtures.path(name)).map(\.fields) == plain)
      let large = try RecordList(of: [fixtures.path(name)], readingLimit: 100)
      #expect(try large.isLarge && (0..<large.count).map { try large[$0].fields } == plain)
      #expect(try large[7].file == fixtures.path(name) && large[7].line == 8)
    }
  }

  @Test func patternsAndHomeFoldersNameFiles() throws {
    for name in ["b-1.jsonl", "a-1.jsonl", "a-2.jsonl", "a-[x].jsonl"] { try folder.write("{}".utf8, to: name) }
    func names(_ patterns: String...) throws -> [String] {
      try DataFile.expanded(patterns.map(folder.file)).map { String($0.dropFirst(folder.path.count + 1)) }
    }
    #expect(try names("b-1.jsonl", "a-?.jsonl") == ["b-1.jsonl", "a-1.jsonl", "a-2.jsonl"])
    #expect(try names("a-[x].jsonl") == ["a-[x].jsonl"])
    #expect { try names("c*.jsonl") } throws: { ($0 as? DatasetError)?.kind == .noSuchFile }
    #expect(try DataFile.expanded(["~/d.jsonl"])[0].hasSuffix("/d.jsonl") && !DataFile.expanded(["~/d.jsonl"])[0].hasPrefix("~"))
  }

  @Test(arguments: [false, true]) func examplesOfATokenFileAreThoseInMemory(cuts: Bool) throws {
    let path = try folder.write((Self.fields.joined(separator: "\n")).utf8, to: "d.jsonl")
    let memory = try encoder(cuts: cuts).encodeDataset(DataFile.records(of: path))
    let list = try RecordList(of: [path], readingLimit: 10)
    var told: [Int] = []
    let made = try encoder(cuts: cuts).encodeToFile(list, identity: "t", check: { _, _ in }) { told.append($0) }
    #expect(told == [3000] && made.count == memory.examples.count && made.report == memory.report)
    for index in memory.examples.indices {
      #expect(try made.example(index) == memory.examples[index] && made.record(index) == memory.records[index])
    }
    #expect(made.packedLengths == memory.examples.map(\.packedLength) && made.tokenCounts == memory.examples.map(\.tokens.count))
    let planner = BatchPlanner(batchSize: 3, packing: 24, shuffle: 4)
    #expect(planner.plan(lengths: made.packedLengths).epoch(1) == planner.plan(memory.examples).epoch(1))
    // The second time nothing is encoded, whatever the check would say; another tokenizer is another file.
    told = []
    let again = try encoder(cuts: cuts).encodeToFile(list, identity: "t", check: { _, _ in throw CancellationError() }) { told.append($0) }
    #expect(try told.isEmpty && again.example(17) == memory.examples[17])
    #expect(throws: CancellationError.self) {
      try encoder(cuts: cuts).encodeToFile(list, identity: "u", check: { _, _ in throw CancellationError() }) { _ in }
    }
  }

  @Test func aDamagedTokenFileIsMadeAgain() throws {
    let path = try folder.write((Self.fields.prefix(50).joined(separator: "\n")).utf8, to: "d.jsonl")
    let list = try RecordList(of: [path], readingLimit: 10)
    let cache = try #require(CacheFolder.folder)
    let before = Set(cache.entries)
    let made = try encoder().encodeToFile(list, identity: "damage", check: { _, _ in }) { _ in }
    let name = try #require(Set(cache.entries).subtracting(before).first { $0.hasPrefix("tokens-") })
    let size = try Data(contentsOf: URL(filePath: cache.file(name))).count
    truncate(cache.file(name), off_t(size - 40))
    let again = try encoder().encodeToFile(list, identity: "damage", check: { _, _ in }) { _ in }
    #expect(try again.count == made.count && again.example(49) == encoder().encodeDataset(DataFile.records(of: path)).examples[49])
    #expect(try Data(contentsOf: URL(filePath: cache.file(name))).count == size)
  }

  /// Everything that an example may have comes back from a file as it was.
  @Test func examplesOfEveryTaskComeBack() throws {
    let encoders: [(String, ExampleEncoder)] = [
      (#"{"source": "abc", "target": "xy"}"#, ExampleEncoder(tokenizer: CharacterTokenizer(style: .encoder), task: .seq2seqLM)),
      (#"{"text": "abcdefgh"}"#, ExampleEncoder(tokenizer: CharacterTokenizer(style: .encoder), task: .maskedLM)),
      (
        #"{"text": "ab", "text_pair": "c", "label": "y"}"#,
        ExampleEncoder(
          tokenizer: CharacterTokenizer(style: .encoder), task: .sequenceClassification, labels: LabelScheme(names: ["x", "y"]), usesTypeIDs: true)
      ),
      (#"{"prompt": "ab", "completion": "cd"}"#, ExampleEncoder(tokenizer: CharacterTokenizer(), task: .causalLM, marksPrompts: true)),
    ]
    for (index, (line, encoder)) in encoders.enumerated() {
      let path = try folder.write(line.utf8, to: "\(index).jsonl")
      let list = try RecordList(of: [path], readingLimit: 1)
      let made = try encoder.encodeToFile(list, identity: "kinds", check: { _, _ in }) { _ in }
      #expect(try made.example(0) == encoder.encodeDataset(DataFile.records(of: path)).examples[0], "\(line)")
    }
  }

  @Test func aStreamMakesTheStepsAndExamplesOfAPlan() throws {
    let path = try folder.write((Self.fields.joined(separator: "\n")).utf8, to: "d.jsonl")
    let list = try RecordList(of: [path], readingLimit: 10)
    let memory = try encoder().encodeDataset(DataFile.records(of: path))
    let planner = BatchPlanner(batchSize: 4, gradientAccumulationSteps: 2, shuffle: 11)
    let plan = planner.plan(memory.examples)
    let stream = try ExampleStream(list, encoder: encoder(), planner: planner) { _, _ in }
    // Also from the middle of the second epoch, as a run that goes on asks for.
    for range in [0..<plan.stepsPerEpoch + 20, plan.stepsPerEpoch + 7..<plan.stepsPerEpoch + 12] {
      let steps = stream.steps(range)
      for expected in plan.steps(range) {
        let step = try #require(try steps.next())
        #expect(step == expected)
        for id in step.microBatches.joined() { #expect(stream.example(id) == memory.examples[id]) }
      }
      #expect(try steps.next() == nil)
    }
  }

  @Test func aStreamTellsOfAFaultWhenItComesToIt() throws {
    let path = try folder.write((Self.fields.joined(separator: "\n") + "\n{\"texts\": 1}").utf8, to: "d.jsonl")
    let stream = try ExampleStream(
      RecordList(of: [path], readingLimit: 10), encoder: encoder(), planner: BatchPlanner(batchSize: 100)
    ) { _, _ in }
    let steps = stream.steps(0..<100)
    for _ in 0..<20 { #expect(try steps.next() != nil) }
    #expect { while try steps.next() != nil {} } throws: { "\($0)".hasPrefix("\(path):3001: ") }
  }
}
