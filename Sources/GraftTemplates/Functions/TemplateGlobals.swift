import Foundation

/// The functions that Transformers gives to every chat template.
enum TemplateGlobals {
  static func all(at date: Date, in timeZone: TimeZone) -> [String: TemplateValue] {
    [
      "raise_exception": .function(
        TemplateFunction("raise_exception") { arguments in
          let message = try arguments.bind("raise_exception", ["message"], required: 1)[0]
          throw TemplateFailure(.raised, message?.description ?? "")
        }),
      "strftime_now": .function(
        TemplateFunction("strftime_now") { arguments in
          let format = try arguments.bind("strftime_now", ["format"], required: 1)[0].requiredText(for: "strftime_now")
          guard format.utf8.count <= 4096 else { throw TemplateFailure(.limit, "a format of times is longer than 4096 bytes") }
          return .string(try formatted(date, in: timeZone, format))
        }),
      "namespace": .function(
        TemplateFunction("namespace") { arguments in
          .namespace(try TemplateNamespace(try dictionary(arguments)))
        }),
      "dict": .function(TemplateFunction("dict") { .dictionary(try dictionary($0)) }),
      "range": .function(TemplateFunction("range") { .range(try range($0)) }),
      "cycler": .function(TemplateFunction("cycler") { try cycler($0.positional) }),
      "joiner": .function(
        TemplateFunction("joiner") { arguments in
          let separator = try arguments.bind("joiner", ["sep"])[0] ?? .string(", ")
          var isUsed = false
          return .function(
            TemplateFunction("joiner", owner: separator) { _ in
              defer { isUsed = true }
              return isUsed ? separator : .string("")
            })
        }),
    ]
  }

  private static func dictionary(_ arguments: TemplateArguments) throws -> TemplateDictionary {
    guard arguments.positional.count <= 1 else {
      throw TemplateFailure(.value, "dict expected at most 1 argument, got \(arguments.positional.count)")
    }
    var result = TemplateDictionary()
    switch arguments.positional.first {
    case nil: break
    case .dictionary(let given)?: result = given
    case let pairs?:
      for pair in try pairs.items() {
        let parts = try pair.items()
        guard parts.count == 2 else {
          throw TemplateFailure(.value, "dictionary update sequence element has length \(parts.count); 2 is required")
        }
        try parts[0].checkHashable()
        result.set(parts[0], to: parts[1])
      }
    }
    for (name, value) in arguments.keyword { result.set(.string(name), to: value) }
    return result
  }

  private static func range(_ arguments: TemplateArguments) throws -> TemplateRange {
    let given = try arguments.bindPositional("range", 1...3)
    let bounds = try given.map { try $0.integer(default: 0, for: "range") }
    if given[1] == nil { return try TemplateRange(start: 0, stop: bounds[0], step: 1) }
    return try TemplateRange(start: bounds[0], stop: bounds[1], step: given[2] == nil ? 1 : bounds[2])
  }

  private static func cycler(_ items: [TemplateValue]) throws -> TemplateValue {
    guard !items.isEmpty else { throw TemplateFailure(.value, "at least one item has to be provided") }
    var position = 0
    return .function(
      TemplateFunction(
        "cycler",
        attributes: [
          "next": .function(
            TemplateFunction("next") { _ in
              defer { position = (position + 1) % items.count }
              return items[position]
            }),
          "reset": .function(
            TemplateFunction("reset") { _ in
              position = 0
              return .none
            }),
          "items": .tuple(items),
        ],
        owner: .tuple(items)
      ) { _ in throw TemplateFailure(.value, "'Cycler' object is not callable") })
  }

  /// The C library's `strftime` for a time without a zone, as Python's `datetime.now()` is.
  private static func formatted(_ date: Date, in timeZone: TimeZone, _ format: String) throws -> String {
    let seconds = date.timeIntervalSince1970 + Double(timeZone.secondsFromGMT(for: date))
    let microseconds = Int((seconds - seconds.rounded(.down)) * 1e6)
    var moment = time_t(seconds.rounded(.down))
    var parts = tm()
    gmtime_r(&moment, &parts)
    let fraction = String(repeating: "0", count: 6 - String(microseconds).count) + String(microseconds)
    let plain = try [("%f", fraction), ("%z", ""), ("%Z", "")].reduce(format) { try PythonText.replace($0, $1.0, $1.1) }
    guard !plain.isEmpty else { return "" }
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64 * plain.utf8.count + 256) { buffer in
      guard let start = buffer.baseAddress else { return "" }
      let count = strftime(start, buffer.count, plain, &parts)
      return String(decoding: UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<count]), as: UTF8.self)
    }
  }
}
