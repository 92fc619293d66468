/// Reads the pickle of a PyTorch state dictionary, and nothing else.
///
/// A pickle is a program for a machine with a stack. Of its instructions only those that PyTorch writes are carried out,
/// and of all names only those that tensors need are known; neither runs anything. Values are places in a table, so that
/// no nesting, however deep or cyclic, makes anything here recurse, and an instruction never makes more than one value.
struct Unpickler {
  /// A tensor as the pickle describes it: a view of a stored run of elements.
  struct TensorView {
    var name: String
    /// The storage's name, and how many elements it has.
    let storage: String, storageCount: Int
    let elementType: ElementType
    /// In elements.
    let offset: Int
    var shape: [Int], strides: [Int]
  }

  static let maximumBytes = 16 << 20
  private static let maximumStack = 1 << 16
  private static let maximumMarks = 64
  private static let maximumRank = 8

  private enum Value {
    case none, boolean(Bool), integer(Int), text(Range<Int>), tuple(Range<Int>)
    case orderedDictionaryType, tensorRebuilder, storageType(ElementType)
    /// A place in `dictionaries`.
    case dictionary(Int)
    case storage(name: Int, count: Int, ElementType)
    /// The place of the arguments' tuple.
    case tensor(Int)
  }

  private let pickle: UnsafeRawBufferPointer
  private let location: String
  private var cursor: ByteCursor
  private var values: [Value] = [.none, .boolean(false), .boolean(true), .tuple(0..<0)]
  private var members: [Int32] = []
  private var dictionaries: [[(key: Int32, value: Int32)]] = []
  private var stack: [Int32] = []
  private var marks: [Int] = []
  private var memo: [UInt32: Int32] = [:]

  /// - Throws: `CheckpointError` of kind `unsupported` for what no state dictionary needs, `malformed` for nonsense.
  static func tensors(of pickle: UnsafeRawBufferPointer, location: String) throws(CheckpointError) -> [TensorView] {
    guard pickle.count <= maximumBytes else {
      throw CheckpointError(.unsupported, location, "a pickle of \(pickle.count) bytes is larger than any state dictionary's")
    }
    var unpickler = Unpickler(pickle, location)
    let root = try unpickler.run()
    return try unpickler.views(of: root)
  }

  private init(_ pickle: UnsafeRawBufferPointer, _ location: String) {
    self.pickle = pickle
    self.location = location
    cursor = ByteCursor(pickle, location: location)
  }

  // MARK: The machine

  /// Carries out every instruction.
  /// - Returns: the place of the value that the pickle is of.
  private mutating func run() throws(CheckpointError) -> Int32 {
    guard try cursor.integer(UInt8.self) == 0x80, try cursor.integer(UInt8.self) == 2 else {
      throw CheckpointError(.unsupported, location, "is no pickle of protocol 2", remedy: "save it with torch.save's own protocol")
    }
    while true {
      let instruction: UInt8 = try cursor.integer()
      if instruction == UInt8(ascii: ".") { return try pop() }
      try carryOut(instruction)
      guard stack.count <= Self.maximumStack, values.count <= pickle.count / 2 + 64 else {
        throw refusal("holds more values than any state dictionary of its size")
      }
    }
  }

  private mutating func carryOut(_ instruction: UInt8) throws(CheckpointError) {
    switch instruction {
    case UInt8(ascii: "}"):
      dictionaries.append([])
      push(.dictionary(dictionaries.count - 1))
    case UInt8(ascii: ")"): stack.append(3)
    case UInt8(ascii: "N"): stack.append(0)
    case 0x88: stack.append(2)
    case 0x89: stack.append(1)
    case UInt8(ascii: "K"): push(.integer(Int(try cursor.integer(UInt8.self))))
    case UInt8(ascii: "M"): push(.integer(Int(try cursor.integer(UInt16.self))))
    case UInt8(ascii: "J"): push(.integer(Int(try cursor.integer(Int32.self))))
    case 0x8A: push(.integer(try longInteger()))
    case UInt8(ascii: "X"):
      let length = Int(try cursor.integer(UInt32.self))
      let start = cursor.position
      _ = try cursor.take(length)
      push(.text(start..<start + length))
    case UInt8(ascii: "("):
      guard marks.count < Self.maximumMarks else { throw refusal("is nested deeper than any state dictionary") }
      marks.append(stack.count)
    case UInt8(ascii: "t"): try makeTuple(of: stack.count - mark())
    case 0x85, 0x86, 0x87: try makeTuple(of: Int(instruction) - 0x84)
    case UInt8(ascii: "c"): push(try global())
    case UInt8(ascii: "R"): try reduce()
    case UInt8(ascii: "Q"):
      let identifier = try pop()
      push(try storage(identifier))
    case UInt8(ascii: "s"): try setItems(from: stack.count - 2)
    case UInt8(ascii: "u"): try setItems(from: mark())
    case UInt8(ascii: "b"): try build()
    case UInt8(ascii: "q"): memo[UInt32(try cursor.integer(UInt8.self))] = try top()
    case UInt8(ascii: "r"): memo[try cursor.integer()] = try top()
    case UInt8(ascii: "h"): try recall(UInt32(try cursor.integer(UInt8.self)))
    case UInt8(ascii: "j"): try recall(try cursor.integer())
    default: throw refusal("uses the instruction 0x\(String(instruction, radix: 16)), which no state dictionary needs")
    }
  }

  private func refusal(_ problem: String) -> CheckpointError {
    CheckpointError(.unsupported, location, problem, remedy: "do not trust this file; ask for one in safetensors")
  }

  private var nonsense: CheckpointError { .malformed(location, "makes no sense at byte \(cursor.position)", remedy: "fetch the file again") }

  private mutating func push(_ value: Value) {
    stack.append(Int32(truncatingIfNeeded: values.count))
    values.append(value)
  }

  private func top() throws(CheckpointError) -> Int32 {
    guard let last = stack.last, stack.count > marks.last ?? 0 else { throw nonsense }
    return last
  }

  private mutating func pop() throws(CheckpointError) -> Int32 {
    let last = try top()
    stack.removeLast()
    return last
  }

  /// Returns the index of the first value after the last mark; the mark goes.
  private mutating func mark() throws(CheckpointError) -> Int {
    guard let mark = marks.popLast() else { throw nonsense }
    return mark
  }

  private mutating func recall(_ index: UInt32) throws(CheckpointError) {
    guard let value = memo[index] else { throw nonsense }
    stack.append(value)
  }

  private mutating func longInteger() throws(CheckpointError) -> Int {
    let bytes = try cursor.take(Int(try cursor.integer(UInt8.self)))
    guard bytes.count <= 8 else { throw refusal("holds an integer of \(bytes.count) bytes") }
    let isNegative = bytes.last.map { $0 >= 0x80 } ?? false
    return bytes.reversed().reduce(isNegative ? -1 : 0) { $0 << 8 | Int($1) }
  }

  private mutating func makeTuple(of count: Int) throws(CheckpointError) {
    guard count >= 0, count <= stack.count - (marks.last ?? 0) else { throw nonsense }
    let start = members.count
    members += stack.suffix(count)
    stack.removeLast(count)
    push(.tuple(start..<start + count))
  }

  /// Puts the keys and values from a place of the stack on into the dictionary below them.
  private mutating func setItems(from start: Int) throws(CheckpointError) {
    guard start > (marks.last ?? 0), start <= stack.count, (stack.count - start) % 2 == 0,
      case .dictionary(let index) = values[Int(stack[start - 1])]
    else { throw nonsense }
    for position in stride(from: start, to: stack.count, by: 2) {
      dictionaries[index].append((stack[position], stack[position + 1]))
    }
    stack.removeLast(stack.count - start)
  }

  // MARK: What has a name

  private mutating func global() throws(CheckpointError) -> Value {
    let module = try line()
    let name = try line()
    switch (module, name) {
    case ("collections", "OrderedDict"): return .orderedDictionaryType
    case ("torch._utils", "_rebuild_tensor_v2"): return .tensorRebuilder
    case ("torch", let name):
      if let type = TorchStorage.elementType(named: name) { return .storageType(type) }
    default: break
    }
    throw refusal("asks for \(module.prefix(60)).\(name.prefix(60)), which no state dictionary needs")
  }

  private mutating func line() throws(CheckpointError) -> String {
    let start = cursor.position
    var length = 0
    while try cursor.integer(UInt8.self) != 0x0A {
      length += 1
      guard length <= 256 else { throw refusal("holds a name of more than 256 bytes") }
    }
    return String(decoding: pickle[start..<start + length], as: UTF8.self)
  }

  /// Calls what may be called.
  private mutating func reduce() throws(CheckpointError) {
    let arguments = try pop()
    let callable = try pop()
    guard case .tuple(let range) = values[Int(arguments)] else { throw nonsense }
    switch values[Int(callable)] {
    case .orderedDictionaryType where range.isEmpty:
      dictionaries.append([])
      push(.dictionary(dictionaries.count - 1))
    case .tensorRebuilder where (6...7).contains(range.count): push(.tensor(Int(arguments)))
    default: throw refusal("calls what no state dictionary calls")
    }
  }

  /// State dictionaries carry a note about the versions of their modules, which is of no use here.
  private mutating func build() throws(CheckpointError) {
    let state = try pop()
    guard case .dictionary = values[Int(state)], case .dictionary = values[Int(try top())] else {
      throw refusal("sets the state of something that has none")
    }
  }

  /// `("storage", type, name, device, count)`.
  private mutating func storage(_ place: Int32) throws(CheckpointError) -> Value {
    guard case .tuple(let range) = values[Int(place)], range.count == 5, text(members[range.lowerBound]) == "storage",
      case .storageType(let type) = values[Int(members[range.lowerBound + 1])],
      case .text = values[Int(members[range.lowerBound + 2])],
      case .integer(let count) = values[Int(members[range.lowerBound + 4])], count >= 0
    else { throw nonsense }
    return .storage(name: Int(members[range.lowerBound + 2]), count: count, type)
  }

  // MARK: The result

  private func text(_ place: Int32) -> String? {
    guard case .text(let range) = values[Int(place)] else { return nil }
    return String(validating: pickle[range], as: UTF8.self)
  }

  private func views(of root: Int32) throws(CheckpointError) -> [TensorView] {
    guard case .dictionary(let index) = values[Int(root)] else { throw refusal("is no dictionary of tensors") }
    guard dictionaries[index].count <= AdapterArchive.maximumTensors else {
      throw refusal("holds more than \(AdapterArchive.maximumTensors) tensors")
    }
    var views: [TensorView] = []
    for (key, value) in dictionaries[index] {
      guard let name = text(key), case .tensor(let arguments) = values[Int(value)] else { throw refusal("is no dictionary of tensors") }
      views.append(try view(name, arguments))
    }
    return views
  }

  /// `(storage, offset, shape, strides, requires gradient, hooks)`.
  private func view(_ name: String, _ arguments: Int) throws(CheckpointError) -> TensorView {
    guard name.utf8.count <= AdapterArchive.maximumNameBytes else { throw refusal("holds a tensor's name of \(name.utf8.count) bytes") }
    guard case .tuple(let range) = values[arguments],
      case .storage(let storage, let count, let type) = values[Int(members[range.lowerBound])],
      let storageName = text(Int32(storage)), case .integer(let offset) = values[Int(members[range.lowerBound + 1])],
      let shape = naturals(members[range.lowerBound + 2]), let strides = naturals(members[range.lowerBound + 3]),
      offset >= 0, shape.count == strides.count, shape.count <= Self.maximumRank
    else { throw .malformed(location, "describes '\(name)' in a way that makes no sense", remedy: "fetch the file again") }
    return TensorView(
      name: name, storage: storageName, storageCount: count, elementType: type, offset: offset, shape: shape, strides: strides)
  }

  private func naturals(_ place: Int32) -> [Int]? {
    guard case .tuple(let range) = values[Int(place)], range.count <= Self.maximumRank else { return nil }
    var naturals: [Int] = []
    for member in members[range] {
      guard case .integer(let value) = values[Int(member)], value >= 0 else { return nil }
      naturals.append(value)
    }
    return naturals
  }
}

/// PyTorch's runs of elements.
enum TorchStorage {
  private static let names: [(name: String, type: ElementType)] = [
    ("FloatStorage", .float32), ("HalfStorage", .float16), ("BFloat16Storage", .bfloat16), ("DoubleStorage", .float64),
    ("LongStorage", .int64), ("IntStorage", .int32), ("ShortStorage", .int16), ("CharStorage", .int8), ("ByteStorage", .uint8),
    ("BoolStorage", .bool),
  ]

  static func elementType(named name: String) -> ElementType? { names.first { $0.name == name }?.type }

  static func name(of type: ElementType) -> String? { names.first { $0.type == type }?.name }
}
