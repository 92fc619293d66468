import Foundation

extension TemplateFilters {
  static let numbers: [String: Filter] = [
    "abs": { value, _ in
      switch value {
      case .undefined(let reason): throw reason.failure
      case .double(let number): return .double(number.magnitude)
      default:
        guard let number = value.wholeNumber else {
          throw TemplateFailure(.value, "bad operand type for abs(): '\(value.typeName)'")
        }
        return number < 0 ? try value.negated() : .integer(number)
      }
    },
    "int": { value, arguments in
      let given = try arguments.bind("int", ["default", "base"])
      if case .undefined(let reason) = value { throw reason.failure }
      return integer(value, base: try given[1].integer(default: 10, for: "int")) ?? given[0] ?? .integer(0)
    },
    "float": { value, arguments in
      let given = try arguments.bind("float", ["default"])
      if case .undefined(let reason) = value { throw reason.failure }
      return double(value).map(TemplateValue.double) ?? given[0] ?? .double(0)
    },
    "round": { value, arguments in
      let given = try arguments.bind("round", ["precision", "method"])
      let precision = try given[0].integer(default: 0, for: "round")
      return try round(value, precision: precision, method: given[1]?.text ?? "common")
    },
    "filesizeformat": { value, arguments in
      let usesBinary = try arguments.bind("filesizeformat", ["binary"])[0].flag(default: false)
      guard let bytes = double(value) else {
        throw TemplateFailure(.value, "could not convert \(value.representation) to float")
      }
      return .string(fileSize(bytes, usesBinary: usesBinary))
    },
    "sum": { value, arguments in
      let given = try arguments.bind("sum", ["attribute", "start"])
      var sum = given[1] ?? .integer(0)
      for item in try value.items() {
        var item = item
        if let path = given[0].unlessNone { item = try attribute(path, of: item) }
        sum = try sum.applying(.add, item)
      }
      return sum
    },
  ]

  private static func integer(_ value: TemplateValue, base: Int) -> TemplateValue? {
    if let text = value.text, let number = integer(text, base: base) { return .integer(number) }
    if value.text == nil, let number = value.truncated { return .integer(number) }
    guard let number = double(value), let whole = Int(exactly: number.rounded(.towardZero)) else { return nil }
    return .integer(whole)
  }

  /// Python's `int(text, base)`.
  private static func integer(_ text: String, base: Int) -> Int? {
    var digits = PythonText.strip(text, nil, left: true, right: true).lowercased()
    let isNegative = digits.hasPrefix("-")
    if isNegative || digits.hasPrefix("+") { digits.removeFirst() }
    var radix = base
    for (prefix, itsRadix) in [("0x", 16), ("0o", 8), ("0b", 2)]
    where digits.hasPrefix(prefix) && (base == itsRadix || base == 0) {
      digits.removeFirst(2)
      radix = itsRadix
    }
    if radix == 0 { radix = 10 }
    guard (2...36).contains(radix), let plain = withoutSeparators(digits), !plain.hasPrefix("-"), !plain.hasPrefix("+"),
      let magnitude = Int(plain, radix: radix)
    else { return nil }
    return isNegative ? -magnitude : magnitude
  }

  /// Digits without the single underscores that Python allows between them.
  private static func withoutSeparators(_ digits: String) -> String? {
    guard digits.contains("_") else { return digits }
    guard !digits.hasPrefix("_"), !digits.hasSuffix("_"), !digits.contains("__") else { return nil }
    return digits.filter { $0 != "_" }
  }

  /// Python's `float(value)`.
  private static func double(_ value: TemplateValue) -> Double? {
    guard let text = value.text else { return value.number }
    let digits = PythonText.strip(text, nil, left: true, right: true).lowercased()
    guard let plain = withoutSeparators(digits) else { return nil }
    let unsigned = plain.drop { $0 == "+" || $0 == "-" }
    guard plain.count - unsigned.count <= 1 else { return nil }
    if ["inf", "infinity", "nan"].contains(unsigned) { return Double(plain) }
    guard unsigned.allSatisfy({ $0.isASCII && ($0.isNumber || "e.+-".contains($0)) }) else { return nil }
    return Double(plain)
      ?? Double(plain.hasSuffix(".") ? plain + "0" : plain.replacingOccurrences(of: ".e", with: ".0e"))
  }

  private static func round(_ value: TemplateValue, precision: Int, method: String) throws -> TemplateValue {
    guard ["common", "ceil", "floor"].contains(method) else {
      throw TemplateFailure(.value, "method must be common, ceil or floor")
    }
    if case .undefined(let reason) = value { throw reason.failure }
    guard let number = value.number else {
      throw TemplateFailure(.value, "type \(value.typeName) doesn't define __round__ method")
    }
    guard method == "common" else {
      let scale = pow(10, Double(precision))
      let scaled = (number * scale).rounded(method == "ceil" ? .up : .down)
      // Rounding makes an integer, which has no negative zero.
      return .double((scaled + 0) / scale)
    }
    if let whole = value.wholeNumber {
      guard precision < 0 else { return .integer(whole) }
      guard precision > -19 else { return .integer(0) }
      let unit = pow(10, Double(-precision))
      return .integer(Int(exactly: (Double(whole) / unit).rounded(.toNearestOrEven) * unit) ?? whole)
    }
    guard number.isFinite else { return .double(number) }
    guard precision >= 0 else {
      let unit = pow(10, Double(-precision))
      return .double((number / unit).rounded(.toNearestOrEven) * unit)
    }
    // Decimal digits of the exact value, as Python rounds.
    return .double(precision > 320 ? number : Double(String(format: "%.\(precision)f", number)) ?? number)
  }

  private static func fileSize(_ bytes: Double, usesBinary: Bool) -> String {
    if bytes == 1 { return "1 Byte" }
    let base: Double = usesBinary ? 1024 : 1000
    if bytes < base { return "\(Int(bytes)) Bytes" }
    var unit = base
    let letters = usesBinary ? "KMGTPEZY" : "kMGTPEZY"
    for letter in letters {
      unit *= base
      if bytes < unit || letter == "Y" {
        return String(format: "%.1f", base * bytes / unit) + " \(letter)\(usesBinary ? "iB" : "B")"
      }
    }
    return ""
  }
}
