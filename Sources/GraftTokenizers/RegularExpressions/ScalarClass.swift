/// Unicode properties of scalars, by value.
enum ScalarClass {
  /// Bits of the general categories in the order of `Unicode.GeneralCategory`'s cases.
  typealias Categories = UInt32

  /// The general category of every scalar of the basic plane.
  private static let basicPlane: [UInt8] = (0..<0x10000).map { UInt8(lookUp(UInt32($0)).trailingZeroBitCount) }

  /// The one bit of a scalar's general category.
  @inline(__always)
  static func category(_ scalar: UInt32) -> Categories {
    scalar < 0x10000 ? 1 << Categories(basicPlane[Int(scalar)]) : lookUp(scalar)
  }

  private static func lookUp(_ scalar: UInt32) -> Categories {
    guard let scalar = Unicode.Scalar(scalar) else { return surrogate }
    return bit(scalar.properties.generalCategory)
  }

  static func isWhiteSpace(_ scalar: UInt32) -> Bool {
    switch scalar {
    case 0x20, 0x09...0x0D, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000: true
    default: false
    }
  }

  /// Whether a scalar belongs to words: letters, marks, decimal digits, letter numbers and connecting punctuation.
  static func isWord(_ scalar: UInt32) -> Bool {
    if category(scalar) & word != 0 { return true }
    if scalar == 0x200C || scalar == 0x200D { return true }
    guard scalar >= 0x80, let scalar = Unicode.Scalar(scalar) else { return false }
    return scalar.properties.isAlphabetic
  }

  static func isPunctuation(_ scalar: UInt32) -> Bool {
    switch scalar {
    case 0x21...0x2F, 0x3A...0x40, 0x5B...0x60, 0x7B...0x7E: true
    case 0..<0x80: false
    default: category(scalar) & punctuation != 0
    }
  }

  static let letter = mask(.uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter)
  static let mark = mask(.nonspacingMark, .spacingMark, .enclosingMark)
  static let number = mask(.decimalNumber, .letterNumber, .otherNumber)
  static let punctuation = mask(
    .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation,
    .finalPunctuation, .otherPunctuation)
  static let symbol = mask(.mathSymbol, .currencySymbol, .modifierSymbol, .otherSymbol)
  static let separator = mask(.spaceSeparator, .lineSeparator, .paragraphSeparator)
  static let other = mask(.control, .format, .surrogate, .privateUse, .unassigned)
  static let surrogate = mask(.surrogate)
  static let word = letter | mark | mask(.decimalNumber, .letterNumber, .connectorPunctuation)
  static let all: Categories = (1 << 30) - 1

  static func mask(_ categories: Unicode.GeneralCategory...) -> Categories {
    categories.reduce(0) { $0 | bit($1) }
  }

  private static func bit(_ category: Unicode.GeneralCategory) -> Categories {
    let index: Categories =
      switch category {
      case .uppercaseLetter: 0
      case .lowercaseLetter: 1
      case .titlecaseLetter: 2
      case .modifierLetter: 3
      case .otherLetter: 4
      case .nonspacingMark: 5
      case .spacingMark: 6
      case .enclosingMark: 7
      case .decimalNumber: 8
      case .letterNumber: 9
      case .otherNumber: 10
      case .connectorPunctuation: 11
      case .dashPunctuation: 12
      case .openPunctuation: 13
      case .closePunctuation: 14
      case .initialPunctuation: 15
      case .finalPunctuation: 16
      case .otherPunctuation: 17
      case .mathSymbol: 18
      case .currencySymbol: 19
      case .modifierSymbol: 20
      case .otherSymbol: 21
      case .spaceSeparator: 22
      case .lineSeparator: 23
      case .paragraphSeparator: 24
      case .control: 25
      case .format: 26
      case .surrogate: 27
      case .privateUse: 28
      case .unassigned: 29
      @unknown default: 29
      }
    return 1 << index
  }
}
