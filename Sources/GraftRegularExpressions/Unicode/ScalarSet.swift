/// A set of Unicode scalars, built by a regular expression's character classes.
///
/// It is the union of ranges and general categories, or all scalars outside that union.
struct ScalarSet: Sendable, Equatable {
  var ranges: [ClosedRange<UInt32>] = []
  var categories: ScalarClass.Categories = 0
  var isNegated = false

  static let largest: UInt32 = 0x10FFFF
  static let any = ScalarSet(ranges: [0...largest])
  static let whiteSpace = ScalarSet(ranges: [
    0x09...0x0D, 0x20...0x20, 0x85...0x85, 0xA0...0xA0, 0x1680...0x1680, 0x2000...0x200A, 0x2028...0x2029,
    0x202F...0x202F, 0x205F...0x205F, 0x3000...0x3000,
  ])
  static let digit = ScalarSet(categories: ScalarClass.mask(.decimalNumber))
  static let hexDigit = ScalarSet(ranges: [0x30...0x39, 0x41...0x46, 0x61...0x66])
  /// `\w` in brackets, with the letters of category So, which are circled and squared.
  static let word = ScalarSet(
    ranges: [0x24B6...0x24E9, 0x1F130...0x1F149, 0x1F150...0x1F169, 0x1F170...0x1F189], categories: ScalarClass.word)
  /// `\w` by itself, to which Oniguruma adds the superscripts and fractions of Latin-1.
  static let loneWord = word.union(ScalarSet(ranges: [0xB2...0xB3, 0xB9...0xB9, 0xBC...0xBE]))
  static let alphabetic = materialized(ScalarClass.isAlphabetic)
  static let uppercase = materialized { Unicode.Scalar($0)?.properties.isUppercase ?? false }
  static let lowercase = materialized { Unicode.Scalar($0)?.properties.isLowercase ?? false }

  init(ranges: [ClosedRange<UInt32>] = [], categories: ScalarClass.Categories = 0, isNegated: Bool = false) {
    self.ranges = ranges
    self.categories = categories
    self.isNegated = isNegated
  }

  init(_ scalar: UInt32) { ranges = [scalar...scalar] }

  func contains(_ scalar: UInt32) -> Bool {
    let isMember =
      ScalarClass.category(scalar) & categories != 0 || ranges.contains { $0.contains(scalar) }
    return isMember != isNegated
  }

  var inverted: ScalarSet { ScalarSet(ranges: ranges, categories: categories, isNegated: !isNegated) }

  func union(_ other: ScalarSet) -> ScalarSet {
    let (left, right) = (simplified, other.simplified)
    if !left.isNegated && !right.isNegated {
      return ScalarSet(ranges: left.ranges + right.ranges, categories: left.categories | right.categories)
    }
    return Self.materialized { left.contains($0) || right.contains($0) }
  }

  func intersection(_ other: ScalarSet) -> ScalarSet { inverted.union(other.inverted).inverted }

  /// The same set without negation where that needs no search: categories or ranges alone.
  private var simplified: ScalarSet {
    guard isNegated else { return self }
    if ranges.isEmpty { return ScalarSet(categories: ScalarClass.all & ~categories) }
    if categories == 0 { return ScalarSet(ranges: Self.complement(ranges)) }
    return self
  }

  private static func complement(_ ranges: [ClosedRange<UInt32>]) -> [ClosedRange<UInt32>] {
    var result: [ClosedRange<UInt32>] = []
    var next: UInt32 = 0
    for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
      if range.lowerBound > next { result.append(next...range.lowerBound - 1) }
      next = max(next, range.upperBound + 1)
    }
    if next <= largest { result.append(next...largest) }
    return result
  }

  private static func materialized(_ isMember: (UInt32) -> Bool) -> ScalarSet {
    var ranges: [ClosedRange<UInt32>] = []
    var start: UInt32?
    for scalar in 0...largest {
      if isMember(scalar) {
        if start == nil { start = scalar }
      } else if let first = start {
        ranges.append(first...scalar - 1)
        start = nil
      }
    }
    if let first = start { ranges.append(first...largest) }
    return ScalarSet(ranges: ranges)
  }

  /// With every letter's other case, where the set lists its scalars one by one.
  var ignoringCase: ScalarSet {
    guard ranges.reduce(0, { $0 + $1.count }) <= 4096 else { return self }
    var result = self
    for scalar in ranges.joined() {
      for variant in Self.caseVariants(of: scalar) { result.ranges.append(variant...variant) }
    }
    return result
  }

  private static func caseVariants(of value: UInt32) -> [UInt32] {
    guard let scalar = Unicode.Scalar(value) else { return [] }
    var variants: Set<UInt32> = []
    let properties = scalar.properties
    for mapping in [properties.lowercaseMapping, properties.uppercaseMapping, properties.titlecaseMapping]
    where mapping.unicodeScalars.count == 1 {
      guard let mapped = mapping.unicodeScalars.first else { continue }
      variants.insert(mapped.value)
      for back in [mapped.properties.lowercaseMapping, mapped.properties.uppercaseMapping]
      where back.unicodeScalars.count == 1 {
        variants.formUnion(back.unicodeScalars.map(\.value))
      }
    }
    // Letters whose case maps to a letter that does not map back to them.
    if variants.contains(0x73) || value == 0x73 { variants.insert(0x17F) }
    if variants.contains(0x6B) || value == 0x6B { variants.insert(0x212A) }
    variants.remove(value)
    return Array(variants)
  }
}
