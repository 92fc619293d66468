/// Python's ideas about characters and strings, which count in scalars where Swift counts in graphemes.
extension Unicode.Scalar {
  /// `str.isspace`
  var isPythonSpace: Bool {
    switch value {
    case 0x09...0x0D, 0x1C...0x20, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000: true
    default: false
    }
  }

  var isASCIIDigit: Bool { ("0"..."9").contains(self) }

  var isASCIIHexadecimal: Bool { isASCIIDigit || ("a"..."f").contains(self) || ("A"..."F").contains(self) }

  /// `str.isprintable`
  var isPythonPrintable: Bool {
    switch properties.generalCategory {
    case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: false
    case .spaceSeparator: self == " "
    default: true
    }
  }

  /// `str.isalpha`
  var isPythonLetter: Bool {
    switch properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: true
    default: false
    }
  }

  var isCased: Bool { isUppercaseOrTitlecase || properties.isLowercase }

  var isUppercaseOrTitlecase: Bool { properties.isUppercase || properties.generalCategory == .titlecaseLetter }
}

enum PythonText {
  /// `str.strip(characters)` on the sides asked for; nil strips white space.
  static func strip(_ text: String, _ characters: String?, left: Bool, right: Bool) -> String {
    let set = characters.map { Set($0.unicodeScalars) }
    let scalars = text.unicodeScalars
    func isStripped(_ scalar: Unicode.Scalar) -> Bool { set?.contains(scalar) ?? scalar.isPythonSpace }
    var start = scalars.startIndex
    var end = scalars.endIndex
    if left { while start < end, isStripped(scalars[start]) { start = scalars.index(after: start) } }
    if right {
      while end > start, isStripped(scalars[scalars.index(before: end)]) { end = scalars.index(before: end) }
    }
    return String(scalars[start..<end])
  }

  static func equal(_ left: String, _ right: String) -> Bool {
    left.utf8.elementsEqual(right.utf8)
  }

  /// Order by code points, which UTF-8 keeps.
  static func less(_ left: String, _ right: String) -> Bool {
    left.utf8.lexicographicallyPrecedes(right.utf8)
  }

  /// The byte offsets where `needle` occurs, from the left, without overlap.
  static func occurrences(of needle: String, in text: String, limit: Int = .max) -> [Int] {
    var found: [Int] = []
    forEachOccurrence(of: needle, in: text) { offset in
      if found.count < limit, offset >= (found.last ?? -needle.utf8.count) + needle.utf8.count { found.append(offset) }
      return found.count < limit
    }
    return found
  }

  /// Hands over the byte offsets where `needle` occurs, those that overlap too, until told to stop; in linear time (Knuth, Morris and
  /// Pratt 1977).
  static func forEachOccurrence(of needle: String, in text: String, _ goesOn: (Int) -> Bool) {
    let needle = Array(needle.utf8)
    guard let first = needle.first, needle.count <= text.utf8.count else { return }
    // The longest border of every beginning of the needle.
    var borders = Array(repeating: 0, count: needle.count)
    var matched = 0
    for index in needle.indices.dropFirst() {
      while matched > 0, needle[index] != needle[matched] { matched = borders[matched - 1] }
      if needle[index] == needle[matched] { matched += 1 }
      borders[index] = matched
    }
    matched = 0
    for (index, byte) in text.utf8.enumerated() {
      if matched == 0, byte != first { continue }
      while matched > 0, byte != needle[matched] { matched = borders[matched - 1] }
      if byte == needle[matched] { matched += 1 }
      guard matched == needle.count else { continue }
      guard goesOn(index + 1 - needle.count) else { return }
      matched = borders[matched - 1]
    }
  }

  static func contains(_ text: String, _ needle: String) -> Bool {
    needle.isEmpty || !occurrences(of: needle, in: text, limit: 1).isEmpty
  }

  /// The pieces of `text` between byte offsets `found` of a separator of `width` bytes.
  static func pieces(of text: String, around found: [Int], width: Int) -> [String] {
    let utf8 = text.utf8
    var pieces: [String] = []
    var start = utf8.startIndex
    var consumed = 0
    for offset in found {
      let end = utf8.index(start, offsetBy: offset - consumed)
      pieces.append(String(text[start..<end]))
      start = utf8.index(end, offsetBy: width)
      consumed = offset + width
    }
    pieces.append(String(text[start...]))
    return pieces
  }

  /// `str.replace(old, new, count)`
  static func replace(_ text: String, _ old: String, _ new: String, count: Int = -1) throws -> String {
    let limit = count < 0 ? Int.max : count
    func check(_ places: Int) throws {
      let (growth, overflow) = places.multipliedReportingOverflow(by: max(0, new.utf8.count - old.utf8.count))
      try TemplateLimits.check(byteCount: overflow ? .max : growth.addingReportingOverflow(text.utf8.count).partialValue)
    }
    guard !old.isEmpty else {
      try check(min(limit, text.unicodeScalars.count + 1))
      var result = ""
      var remaining = limit
      for scalar in text.unicodeScalars {
        if remaining > 0 {
          result += new
          remaining -= 1
        }
        result.unicodeScalars.append(scalar)
      }
      return remaining > 0 ? result + new : result
    }
    let found = occurrences(of: old, in: text, limit: limit)
    try check(found.count)
    return found.isEmpty ? text : pieces(of: text, around: found, width: old.utf8.count).joined(separator: new)
  }

  /// `str.split(separator, limit)`; a nil separator splits at runs of white space.
  static func split(_ text: String, _ separator: String?, limit: Int = -1) throws -> [String] {
    let limit = limit < 0 ? Int.max : limit
    guard let separator else { return try splitAtSpace(text, limit: limit) }
    guard !separator.isEmpty else { throw TemplateFailure(.value, "empty separator") }
    let found = occurrences(of: separator, in: text, limit: limit)
    try TemplateLimits.check(itemCount: found.count)
    return pieces(of: text, around: found, width: separator.utf8.count)
  }

  /// `str.rsplit(separator, limit)`
  static func splitFromRight(_ text: String, _ separator: String?, limit: Int) throws -> [String] {
    let reversedPieces = try split(reversed(text), separator.map(reversed), limit: limit)
    return reversedPieces.reversed().map(reversed)
  }

  private static func splitAtSpace(_ text: String, limit: Int) throws -> [String] {
    var pieces: [String] = []
    var rest = text.unicodeScalars[...]
    while true {
      rest = rest.drop(while: \.isPythonSpace)
      guard !rest.isEmpty else { return pieces }
      guard pieces.count < limit else {
        pieces.append(strip(String(rest), nil, left: false, right: true))
        return pieces
      }
      try TemplateLimits.check(itemCount: pieces.count)
      let word = rest.prefix { !$0.isPythonSpace }
      pieces.append(String(word))
      rest = rest[word.endIndex...]
    }
  }

  static func reversed(_ text: String) -> String {
    var result = String.UnicodeScalarView()
    result.append(contentsOf: text.unicodeScalars.reversed())
    return String(result)
  }

  /// `str.splitlines(keepends)`
  static func lines(_ text: String, keepsEnds: Bool = false) throws -> [String] {
    var lines: [String] = []
    var line = String.UnicodeScalarView()
    var previous: Unicode.Scalar?
    for scalar in text.unicodeScalars {
      defer { previous = scalar }
      if scalar == "\n", previous == "\r" {
        if keepsEnds { lines[lines.count - 1].unicodeScalars.append(scalar) }
        continue
      }
      switch scalar.value {
      case 0x0A...0x0D, 0x1C...0x1E, 0x85, 0x2028, 0x2029:
        if keepsEnds { line.append(scalar) }
        try TemplateLimits.check(itemCount: lines.count)
        lines.append(String(line))
        line = String.UnicodeScalarView()
      default: line.append(scalar)
      }
    }
    if !line.isEmpty { lines.append(String(line)) }
    return lines
  }

  // MARK: Letter case

  static func uppercased(_ text: String) -> String {
    text.unicodeScalars.reduce(into: "") { $0 += $1.properties.uppercaseMapping }
  }

  static func lowercased(_ text: String) -> String {
    let scalars = Array(text.unicodeScalars)
    return scalars.indices.reduce(into: "") { $0 += lowercase(of: $1, in: scalars) }
  }

  /// A capital sigma at the end of a word has a lower case of its own.
  private static func lowercase(of index: Int, in scalars: [Unicode.Scalar]) -> String {
    guard scalars[index] == "Σ" else { return scalars[index].properties.lowercaseMapping }
    let before = scalars[..<index].last { !$0.properties.isCaseIgnorable }
    let after = scalars[(index + 1)...].first { !$0.properties.isCaseIgnorable }
    return (before?.isCased ?? false) && !(after?.isCased ?? false) ? "ς" : "σ"
  }

  static func capitalized(_ text: String) -> String {
    let scalars = Array(text.unicodeScalars)
    return scalars.indices.reduce(into: "") {
      $0 += $1 == 0 ? scalars[0].properties.titlecaseMapping : lowercase(of: $1, in: scalars)
    }
  }

  static func titlecased(_ text: String) -> String {
    let scalars = Array(text.unicodeScalars)
    var followsCased = false
    return scalars.indices.reduce(into: "") {
      $0 += followsCased ? lowercase(of: $1, in: scalars) : scalars[$1].properties.titlecaseMapping
      followsCased = scalars[$1].isCased
    }
  }

  static func swappedCase(_ text: String) -> String {
    let scalars = Array(text.unicodeScalars)
    return scalars.indices.reduce(into: "") {
      let properties = scalars[$1].properties
      $0 +=
        properties.isUppercase
        ? lowercase(of: $1, in: scalars) : properties.isLowercase ? properties.uppercaseMapping : String(scalars[$1])
    }
  }
}
