import Foundation
import GraftTestSupport
import Testing

/// Everything that users of the library see has a line of documentation.
@Suite("Documentation") struct DocumentationTests {
  /// Members that say no more than the protocols of the standard library which ask for them.
  private static let standard: Set = [
    "==", "<", "hash(into:)", "description", "debugDescription", "encode(to:)", "init(from:)", "CodingKeys", "rawValue", "init(rawValue:)",
    "RawValue", "allCases", "stringValue", "intValue", "init(stringValue:)", "init(intValue:)", "init(stringLiteral:)", "init(arrayLiteral:)",
    "init(dictionaryLiteral:)", "init(integerLiteral:)", "init(floatLiteral:)", "init(booleanLiteral:)", "init(nilLiteral:)", "makeIterator()",
    "next()", "startIndex", "endIndex", "index(after:)", "index(before:)", "subscript(_:)", "Element", "Index",
  ]

  @Test func publicDeclarationsAreDocumented() throws {
    let files = try Self.files(endingWith: "swift").map { ($0.path, Declaration.all(in: SwiftSource($0.text))) }
    let house = House(files.flatMap(\.1))
    for (path, declarations) in files {
      for declaration in declarations where house.isLacking(declaration) {
        Issue.record("\(path):\(declaration.line): \(declaration.kind) \(declaration.name) is public and has no documentation")
      }
    }
    #expect(files.flatMap(\.1).count { house.isPublic($0) } > 2000)
  }

  /// A comment begins with the name of the thing or a verb, not with a question's word, which hides a noun.
  @Test func commentsNameTheThing() throws {
    let word = /(What|How|Whether|Which|Where|Those|Whose)\b/
    let field = #/- (?:Parameter )?\w+: /#
    var checked = 0
    for (path, text) in try Self.files(endingWith: "swift", under: "Sources", "Tests", "Scripts", besides: []) {
      var isInside = false
      for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
        let line = line.drop { $0 == " " }
        defer { isInside = line.hasPrefix("///") }
        guard line.hasPrefix("/// ") else { continue }
        let comment = line.dropFirst(4).drop { $0 == " " }
        let found = comment.prefixMatch(of: field)
        guard found != nil || !isInside else { continue }
        checked += 1
        let start = comment[(found?.range.upperBound ?? comment.startIndex)...]
        #expect(start.prefixMatch(of: word) == nil, "\(path):\(index + 1): \(comment)")
      }
    }
    #expect(checked > 5000)
  }

  /// Links of articles and comments lead to articles and to what is public.
  @Test func linksOfDocumentationLeadSomewhere() throws {
    let sources = try Self.files(endingWith: "swift")
    let articles = try Self.files(endingWith: "md")
    let declarations = sources.flatMap { Declaration.all(in: SwiftSource($0.text)) }
    let house = House(declarations)
    let names = Set(declarations.filter(house.isPublic).map(\.name)).union(["Graft"])
    let titles = Set(articles.map { $0.path.split(separator: "/").last?.dropLast(3) ?? "" })
    var linked: Set<Substring> = []
    for (path, text) in sources + articles where text.contains("``") || text.contains("<doc:") {
      for line in text.split(separator: "\n") where path.hasSuffix(".md") || line.drop(while: { $0 == " " }).hasPrefix("///") {
        for link in line.matches(of: /<doc:([^>]+)>/).map(\.1) {
          linked.insert(link)
          #expect(titles.contains(link), "\(path): <doc:\(link)>")
        }
        for link in line.matches(of: /(?:^|[^`])``([^`]+)``/).map(\.1) {
          #expect(link.split(separator: "/").allSatisfy { names.contains(String($0)) }, "\(path): ``\(link)``")
        }
      }
    }
    #expect(linked == titles.subtracting(["Graft"]), "an article that no page leads to")
  }

  /// The files of folders, by their paths from the root; those of the library's targets unless others are named.
  private static func files(
    endingWith ending: String, under folders: String..., besides left: [String] = ["Sources/graft/"]
  ) throws -> [(path: String, text: String)] {
    let root = Repository.root.path + "/"
    return try (folders.isEmpty ? ["Sources"] : folders).flatMap { folder in
      let walk = try #require(FileManager.default.enumerator(at: Repository.file(folder), includingPropertiesForKeys: nil))
      return try walk.compactMap { $0 as? URL }.filter { $0.pathExtension == ending }.compactMap { file in
        let path = String(file.path.dropFirst(root.count))
        return left.contains(where: path.hasPrefix) ? nil : (path, try String(contentsOf: file, encoding: .utf8))
      }
    }
  }

  /// The scan itself: each line that ends in `// !` is to be found, and no other.
  @Test func theScanFindsWhatIsNotDocumented() {
    let text = ##"""
      /// A type.
      public struct A<T: P>: Q where T: R {
        public var x: Int { get { 1 } }  // !
        var y = "public var z: Int {"
        /// Documented.
        @discardableResult
        public func f(_ a: [String: Int], of b: (Int) -> Void = { _ in }) -> Int {
          enum Inner { case a }
          return 1
        }
        public func g(  // !
          a: Int, b c: Int
        ) {}
        public static func == (a: A, b: A) -> Bool { a.x / 2 == 1 / b.x }
        let pattern = /public "{/
        public enum E: String, Sendable {  // !
          case a, b = "}"  // !
          indirect case c(Int)  // !
        }
        enum Hidden {
          case d
          public var e: Int { 1 }
        }
        public private(set) var k = #"\"# + "\(h("}"))"  // !
      }
      /// A protocol.
      public protocol P {
        /// A requirement.
        func documented(by x: Int)
        var bare: Int { get }  // !
      }
      public extension A {
        func m() {}  // !
        internal func n() {}
        subscript(index: Int, of x: Int) -> Int { 1 }  // !
      }
      extension A: P {
        public func documented(by x: Int) {}
        public func documented(of x: Int) {}  // !
        func o() {}
      }
      struct B {
        public var p: Int
      }
      extension B {
        public var q: Int { 1 }
      }
      """##
    let declarations = Declaration.all(in: SwiftSource(text))
    let house = House(declarations)
    let marked = text.split(separator: "\n", omittingEmptySubsequences: false).enumerated().filter { $1.hasSuffix("// !") }.map { $0.offset + 1 }
    #expect(declarations.filter(house.isLacking).map(\.line) == marked)
    #expect(declarations.contains { $0.name == "g(a:b:)" } && declarations.contains { $0.name == "f(_:of:)" })
  }

  /// The types of all files together.
  private struct House {
    private var types: Set<String> = []
    private var publicTypes: Set<String> = []
    private var parents: [String: Set<String>] = [:]
    /// The documented members that a protocol asks for.
    private var requirements: [String: Set<String>] = [:]

    init(_ declarations: [Declaration]) {
      for declaration in declarations {
        if Declaration.types.contains(declaration.kind) { parents[declaration.lastName, default: []].formUnion(declaration.parents) }
        if Declaration.types.contains(declaration.kind), declaration.kind != "extension" {
          types.insert(declaration.name)
          if declaration.isDeclaredPublic { publicTypes.insert(declaration.name) }
        }
        guard let owner = declaration.owners.last, owner.kind == "protocol", declaration.isDocumented else { continue }
        requirements[owner.name, default: []].insert(declaration.name)
      }
    }

    /// True for a declaration that users see and nothing explains.
    func isLacking(_ declaration: Declaration) -> Bool {
      isPublic(declaration) && !declaration.isDocumented && !isWitness(declaration)
    }

    func isPublic(_ declaration: Declaration) -> Bool {
      guard declaration.kind != "extension", declaration.isDeclaredPublic else { return false }
      return declaration.owners.allSatisfy { owner in
        owner.kind == "extension" ? !types.contains(owner.lastName) || publicTypes.contains(owner.lastName) : owner.isDeclaredPublic
      }
    }

    /// True for a member whose meaning is that of a protocol's requirement.
    private func isWitness(_ declaration: Declaration) -> Bool {
      guard let owner = declaration.owners.last else { return false }
      if DocumentationTests.standard.contains(declaration.name) { return true }
      return owner.kind != "protocol" && ancestors(of: owner.lastName).contains { requirements[$0]?.contains(declaration.name) ?? false }
    }

    /// The protocols and classes that a type conforms to or inherits from, itself included.
    private func ancestors(of name: String) -> Set<String> {
      var found: Set = [name]
      var left = [name]
      while let next = left.popLast() {
        for parent in parents[next] ?? [] where found.insert(parent).inserted { left.append(parent) }
      }
      return found
    }
  }
}

extension Declaration {
  /// The name without those of the types around it.
  fileprivate var lastName: String { name.split(separator: ".").last.map(String.init) ?? name }
}
