/// Unicode properties of scalars, by value.
package enum ScalarClass {
  /// Bits of the general categories in the order of `Unicode.GeneralCategory`'s cases.
  package typealias Categories = UInt32

  /// Category and age of every scalar of the basic plane, as `lookUp` packs them.
  private static let basicPlane: [UInt8] = (0..<0x10000).map { lookUp(UInt32($0)) }

  private static let isNew: UInt8 = 0x80

  /// The one bit of a scalar's general category in Unicode 16, whose tables the reference's expressions have.
  @inline(__always)
  package static func category(_ scalar: UInt32) -> Categories {
    1 << Categories((scalar < 0x10000 ? basicPlane[Int(scalar)] : lookUp(scalar)) & ~isNew)
  }

  /// Returns true for a scalar younger than Unicode 9, whose tables the reference's normal forms have.
  @inline(__always)
  package static func isYoungerThanNormalForms(_ scalar: UInt32) -> Bool {
    (scalar < 0x10000 ? basicPlane[Int(scalar)] : lookUp(scalar)) & isNew != 0
  }

  /// Returns true for a scalar that was assigned by Unicode 8, 9, ...
  package static func isAssigned(_ scalar: UInt32, byUnicode major: Int) -> Bool {
    guard let age = Unicode.Scalar(scalar)?.properties.age else { return false }
    return age.major <= major
  }

  private static func lookUp(_ value: UInt32) -> UInt8 {
    guard let scalar = Unicode.Scalar(value) else { return UInt8(surrogate.trailingZeroBitCount) }
    let age = scalar.properties.age?.major ?? .max
    let category: Unicode.GeneralCategory =
      age > 16
      ? scalar.properties.age == nil ? scalar.properties.generalCategory : .unassigned
      : value == 0x295 ? .lowercaseLetter : scalar.properties.generalCategory
    return UInt8(bit(category).trailingZeroBitCount) | (age > 9 && age != .max ? isNew : 0)
  }

  @inlinable
  package static func isWhiteSpace(_ scalar: UInt32) -> Bool {
    switch scalar {
    case 0x20, 0x09...0x0D, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000: true
    default: false
    }
  }

  /// Returns true for a scalar of words: letters, marks, decimal digits, letter numbers, connecting punctuation, joiners.
  package static func isWord(_ scalar: UInt32) -> Bool {
    category(scalar) & word != 0 || scalar == 0x200C || scalar == 0x200D || isAlphabetic(scalar)
  }

  package static func isAlphabetic(_ scalar: UInt32) -> Bool {
    if scalar < 0x80 { return scalar | 0x20 >= 0x61 && scalar | 0x20 <= 0x7A }
    guard let value = Unicode.Scalar(scalar), value.properties.isAlphabetic else { return false }
    return category(scalar) != unassigned
  }

  /// Returns true for a number of any kind, in the newest Unicode.
  package static func isNumeric(_ scalar: UInt32) -> Bool {
    if scalar < 0x80 { return scalar >= 0x30 && scalar <= 0x39 }
    return Unicode.Scalar(scalar).map { bit($0.properties.generalCategory) & number != 0 } ?? false
  }

  /// Punctuation as of Unicode 8, as BERT's reference sees it.
  package static func isPunctuation(_ scalar: UInt32) -> Bool {
    switch scalar {
    case 0x21...0x2F, 0x3A...0x40, 0x5B...0x60, 0x7B...0x7E, 0x166D, 0x111C9: true
    case 0..<0x80: false
    default: category(scalar) & punctuation != 0 && isAssigned(scalar, byUnicode: 8)
    }
  }

  package static let letter = mask(.uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter)
  package static let mark = mask(.nonspacingMark, .spacingMark, .enclosingMark)
  package static let number = mask(.decimalNumber, .letterNumber, .otherNumber)
  package static let punctuation = mask(
    .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation,
    .finalPunctuation, .otherPunctuation)
  package static let symbol = mask(.mathSymbol, .currencySymbol, .modifierSymbol, .otherSymbol)
  package static let separator = mask(.spaceSeparator, .lineSeparator, .paragraphSeparator)
  package static let other = mask(.control, .format, .surrogate, .privateUse, .unassigned)
  package static let surrogate = mask(.surrogate)
  package static let unassigned = mask(.unassigned)
  package static let word = letter | mark | mask(.decimalNumber, .letterNumber, .connectorPunctuation)
  package static let all: Categories = (1 << 30) - 1

  package static func mask(_ categories: Unicode.GeneralCategory...) -> Categories {
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
