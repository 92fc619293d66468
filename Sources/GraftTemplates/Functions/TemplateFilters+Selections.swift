/// The filters that apply another filter or a test to every item, one at a time as items are asked for.
extension TemplateFilters {
  static let selections: [String: Filter] = [
    "map": { value, arguments in
      guard value.isTrue else { return .iterator(TemplateIterator("generator") { nil }) }
      let source = try value.makeIterator()
      let transform = try transformation(arguments)
      return .iterator(TemplateIterator("generator", source: value) { try source.next().map(transform) })
    },
    "select": { try select($0, $1, byAttribute: false, keeps: true) },
    "reject": { try select($0, $1, byAttribute: false, keeps: false) },
    "selectattr": { try select($0, $1, byAttribute: true, keeps: true) },
    "rejectattr": { try select($0, $1, byAttribute: true, keeps: false) },
    "attr": { value, arguments in
      let name = try arguments.bind("attr", ["name"], required: 1)[0].requiredText(for: "attr")
      if case .undefined(let reason) = value { throw reason.failure }
      if case .dictionary(let dictionary) = value, dictionary[name] != nil {
        // Only attributes count here, and the items of a dictionary are none.
        let bare = try TemplateValue.dictionary(TemplateDictionary()).attribute(name)
        return bare.isUndefined ? bare : try value.attribute(name)
      }
      return try value.attribute(name)
    },
  ]

  private static func transformation(_ arguments: TemplateArguments) throws -> (TemplateValue) throws -> TemplateValue {
    if arguments.positional.isEmpty, let path = arguments.keyword.first(where: { $0.name == "attribute" })?.value {
      let fallback = arguments.keyword.first { $0.name == "default" }?.value
      if let unknown = arguments.keyword.first(where: { $0.name != "attribute" && $0.name != "default" }) {
        throw TemplateFailure(.value, "Unexpected keyword argument '\(unknown.name)'")
      }
      return { try attribute(path, of: $0, default: fallback.unlessNone) }
    }
    guard let name = arguments.positional.first else {
      throw TemplateFailure(.value, "map requires a filter argument")
    }
    guard let filter = all[name.text ?? ""] else {
      throw TemplateFailure(.syntax, "No filter named \(name.representation).")
    }
    let rest = TemplateArguments(positional: Array(arguments.positional.dropFirst()), keyword: arguments.keyword)
    return { try filter($0, rest) }
  }

  private static func select(
    _ value: TemplateValue, _ arguments: TemplateArguments, byAttribute: Bool, keeps: Bool
  ) throws -> TemplateValue {
    guard value.isTrue else { return .iterator(TemplateIterator("generator") { nil }) }
    let source = try value.makeIterator()
    var rest = arguments
    var path: TemplateValue?
    if byAttribute {
      guard !rest.positional.isEmpty else {
        throw TemplateFailure(.value, "Missing parameter for attribute name")
      }
      path = rest.positional.removeFirst()
    }
    var predicate: TemplatePredicates.Predicate = { value, _ in value.isTrue }
    if !rest.positional.isEmpty {
      let name = rest.positional.removeFirst()
      guard let found = TemplatePredicates.all[name.text ?? ""] else {
        throw TemplateFailure(.syntax, "No test named \(name.representation).")
      }
      predicate = found
    }
    return .iterator(
      TemplateIterator("generator", source: value) {
        while let item = try source.next() {
          let subject = try path.map { try attribute($0, of: item) } ?? item
          if try predicate(subject, rest) == keeps { return item }
        }
        return nil
      })
  }
}
