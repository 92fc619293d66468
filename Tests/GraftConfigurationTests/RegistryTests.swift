import Dispatch
import GraftConfiguration
import Testing

@Suite("Entries are found by name, those of a program, too")
struct RegistryTests {
  private struct Entry: Sendable, Equatable {
    let name: String
    let value: Int
  }

  private func registry() -> Registry<Entry> {
    Registry("colour", [Entry(name: "red", value: 1), Entry(name: "green", value: 2)]) { $0.name }
  }

  @Test func entriesAreFoundByName() throws {
    let registry = registry()
    #expect(registry["green"]?.value == 2)
    #expect(registry["blue"] == nil)
    try registry.register(Entry(name: "blue", value: 3))
    #expect(registry["blue"]?.value == 3)
    #expect(registry.names == ["red", "green", "blue"])
  }

  @Test func aNameIsTakenOnce() throws {
    let registry = registry()
    let error = #expect(throws: RegistryError.self) { try registry.register(Entry(name: "red", value: 9)) }
    #expect(error?.description == "colour: \"red\" is registered already; choose another name")
    #expect(registry["red"]?.value == 1)
    #expect(registry.entries.count == 2)
  }

  @Test func adviceNamesTheNearest() {
    #expect(registry().advice(for: "gren") == "did you mean 'green'?")
    #expect(registry().advice(for: "violet") == "choose one of red, green")
  }

  @Test func manyThreadsRegister() {
    let registry = registry()
    DispatchQueue.concurrentPerform(iterations: 64) { index in
      try? registry.register(Entry(name: "c\(index % 32)", value: index))
      _ = registry["c\(index)"]
    }
    #expect(registry.entries.count == 34)
    for number in 0..<32 {
      let entry = registry["c\(number)"]
      #expect(entry.map { $0.value % 32 } == number)
    }
  }
}
