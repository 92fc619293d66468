import GraftJSON

extension TemplateValue {
  /// Python's `str(value)`: what printing the value shows.
  var description: String {
    switch self {
    case .string(let text), .markup(let text): text
    case .undefined: ""
    default: representation
    }
  }

  /// Python's `repr(value)`: how the value shows inside lists and dictionaries.
  var representation: String {
    switch self {
    case .undefined: return "Undefined"
    case .none: return "None"
    case .bool(let value): return value ? "True" : "False"
    case .integer(let value): return String(value)
    case .double(let value): return Self.representation(of: value)
    case .string(let text): return Self.representation(of: text)
    case .markup(let text): return "Markup(\(Self.representation(of: text)))"
    case .list(let items): return "[\(Self.joined(items))]"
    case .tuple(let items): return items.count == 1 ? "(\(Self.joined(items)),)" : "(\(Self.joined(items)))"
    case .dictionary(let dictionary):
      let pairs = Self.bounded(dictionary.entries) { "\($0.key.representation): \($0.value.representation)" }
      return "{\(pairs.joined(separator: ", "))}"
    case .view(let view): return "\(view.kind.rawValue)([\(Self.joined(view.items))])"
    case .range(let range):
      let bounds = "\(range.start), \(range.stop)"
      return range.step == 1 ? "range(\(bounds))" : "range(\(bounds), \(range.step))"
    case .namespace(let namespace):
      return "<Namespace \(TemplateValue.dictionary(namespace.attributes).representation)>"
    case .iterator(let iterator): return "<\(iterator.typeName) object>"
    case .loop(let loop): return "<LoopContext \(loop.index0 + 1)/\((try? loop.count()) ?? 0)>"
    case .function(let function): return function.description
    }
  }

  private static func joined(_ items: [TemplateValue]) -> String {
    bounded(items, \.representation).joined(separator: ", ")
  }

  /// The texts of items for as long as the rendering may go on and they are not too long together.
  private static func bounded<Item>(_ items: [Item], _ text: (Item) -> String) -> [String] {
    var texts: [String] = []
    var size = 0
    for item in items {
      guard size <= TemplateLimits.byteCount else {
        _ = TemplateMeter.allows(.max)
        break
      }
      texts.append(text(item))
      size += texts[texts.count - 1].utf8.count
      // Every character is looked at.
      guard TemplateMeter.allows(1 + texts[texts.count - 1].utf8.count >> 2) else { break }
    }
    return texts
  }

  /// Python's `repr` of a float: the shortest digits that read back, with an exponent from 1e16 and below 1e-4.
  static func representation(of value: Double) -> String {
    guard value.isFinite else { return value.isNaN ? "nan" : value < 0 ? "-inf" : "inf" }
    let sign = value.sign == .minus ? "-" : ""
    var (digits, point) = decimalDigits(of: value.magnitude)
    if point > 16 || point < -3 {
      let exponent = point - 1
      let fraction = digits.count > 1 ? "." + digits.dropFirst() : ""
      let magnitude = exponent.magnitude < 10 ? "0\(exponent.magnitude)" : "\(exponent.magnitude)"
      return "\(sign)\(digits.prefix(1))\(fraction)e\(exponent < 0 ? "-" : "+")\(magnitude)"
    }
    if point <= 0 { return sign + "0." + String(repeating: "0", count: -point) + digits }
    if digits.count <= point {
      digits += String(repeating: "0", count: point - digits.count)
      return sign + digits + ".0"
    }
    return sign + digits.prefix(point) + "." + digits.dropFirst(point)
  }

  /// The shortest significant digits of a value and the position of the decimal point among them.
  private static func decimalDigits(of magnitude: Double) -> (digits: String, point: Int) {
    guard magnitude != 0 else { return ("0", 1) }
    let parts = magnitude.description.split(separator: "e")
    let mantissa = parts[0].split(separator: ".", omittingEmptySubsequences: false)
    let whole = mantissa[0]
    let fraction = mantissa.count > 1 ? mantissa[1] : ""
    var digits = String(whole + fraction)
    var point = whole.count + (parts.count > 1 ? Int(parts[1]) ?? 0 : 0)
    while digits.hasPrefix("0"), digits.count > 1 {
      digits.removeFirst()
      point -= 1
    }
    while digits.hasSuffix("0"), digits.count > 1 { digits.removeLast() }
    return (digits, point)
  }

  /// Python's `repr` of a string.
  static func representation(of text: String) -> String {
    let isQuotedDouble = text.utf8.contains(UInt8(ascii: "'")) && !text.utf8.contains(UInt8(ascii: "\""))
    return python.quoted(text, by: isQuotedDouble ? "\"" : "'")
  }

  private static let python = TextQuoting(letters: ["\n": "n", "\r": "r", "\t": "t"], isNumbered: { !$0.isPythonPrintable }) { scalar in
    let (letter, width) = scalar.value < 0x100 ? ("x", 2) : scalar.value < 0x10000 ? ("u", 4) : ("U", 8)
    return letter + TextQuoting.hexadecimal(scalar.value, width: width)
  }

  /// HTML-escapes text, leaving markup as it is.
  var escaped: String {
    guard case .markup(let text) = self else {
      return description.unicodeScalars.reduce(into: "") { result, scalar in
        switch scalar {
        case "&": result += "&amp;"
        case "<": result += "&lt;"
        case ">": result += "&gt;"
        case "'": result += "&#39;"
        case "\"": result += "&#34;"
        default: result.unicodeScalars.append(scalar)
        }
      }
    }
    return text
  }
}
