import Synchronization

/// The work of a rendering: evaluated nodes, and the bytes and items that operations went through.
///
/// Operations on values find the meter of the rendering that they are part of in their task.
final class TemplateMeter: Sendable {
  @TaskLocal static var current: TemplateMeter?

  private let steps = Atomic<Int>(0)

  /// Counts work.
  /// - Throws: `TemplateFailure` where it is more than a rendering may do.
  func spend(_ amount: Int) throws {
    guard steps.add(min(max(amount, 0), TemplateLimits.stepCount + 1), ordering: .relaxed).newValue <= TemplateLimits.stepCount else {
      throw TemplateFailure(.limit, "the template takes more than \(TemplateLimits.stepCount) steps")
    }
  }

  /// Counts work where nothing can be thrown; the next step of the rendering is then its last.
  /// - Returns: true where there may be more.
  static func allows(_ amount: Int) -> Bool {
    guard let current else { return true }
    return (try? current.spend(amount)) != nil
  }
}

extension TemplateLimits {
  /// Counts work in the rendering that is going on.
  static func spend(_ amount: Int) throws {
    if amount > 0 { try TemplateMeter.current?.spend(amount) }
  }

  /// Counts going through values once.
  static func spend(on values: TemplateValue...) throws { try spend(values.reduce(0) { $0 + $1.weight }) }

  /// Refuses a text that is put together of parts before it is.
  static func check(joining parts: some Collection<String>, with separator: String = "") throws {
    var count = separator.utf8.count.multipliedReportingOverflow(by: max(parts.count - 1, 0))
    for part in parts where !count.overflow { count = count.partialValue.addingReportingOverflow(part.utf8.count) }
    try check(byteCount: count)
  }
}

extension TemplateValue {
  /// The steps that going through the value once counts for: nothing for the short texts that templates mostly handle.
  var weight: Int {
    switch self {
    case .string(let text), .markup(let text): text.utf8.count >> 6
    case .list(let items), .tuple(let items): items.count >> 4
    case .dictionary(let dictionary): dictionary.entries.count >> 4
    case .view(let view): view.dictionary.entries.count >> 4
    case .range(let range): range.count >> 4
    default: 0
    }
  }
}
