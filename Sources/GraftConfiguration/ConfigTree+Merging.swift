extension ConfigTree {
  /// `defaults` overlaid with this tree: sections key by key, everything else replaced. An empty section keeps its defaults.
  public func merged(over defaults: ConfigTree) -> ConfigTree {
    guard let ours = defaults.mapping, !defaults.isOpen else { return self }
    guard let theirs = mapping else { return isNull ? defaults : self }
    var result = ours
    for entry in theirs.entries {
      let value = ours[entry.key].map { entry.value.merged(over: $0) } ?? entry.value
      result.set(entry.key, to: value, keyLocation: entry.keyLocation)
    }
    return ConfigTree(.mapping(result), location: location)
  }

  /// Throws for the first key of this tree that `defaults` does not have.
  ///
  /// - Parameters:
  ///   - sections: Names of keys that belong to an open section, to tell where a misplaced key should stand.
  ///   - synonyms: Other programs' names of keys, each with the dotted path of ours.
  func rejectUnknownKeys(
    against defaults: ConfigTree, sections: () -> [String: String], synonyms: [String: String], root: ConfigTree? = nil, path: [String] = []
  ) throws(ConfigError) {
    guard let known = defaults.mapping, let given = mapping, !defaults.isOpen else { return }
    for entry in given.entries {
      guard let template = known[entry.key] else {
        throw ConfigError(
          location: entry.keyLocation ?? entry.value.location, path: path + [entry.key], problem: "unknown key",
          advice: (root ?? defaults).advice(
            forUnknown: entry.key, in: path, knownThere: known.keys, sections: sections(), synonyms: synonyms))
      }
      try entry.value.rejectUnknownKeys(
        against: template, sections: sections, synonyms: synonyms, root: root ?? defaults, path: path + [entry.key])
    }
  }

  /// Returns the section to which the key belongs in this tree of defaults, or the nearest known key.
  private func advice(
    forUnknown key: String, in path: [String], knownThere: [String], sections: [String: String], synonyms: [String: String]
  ) -> String {
    if let section = section(holding: key) ?? sections[key], section != path.joined(separator: ".") {
      return section.isEmpty ? "'\(key)' belongs to the top level" : "'\(key)' belongs under '\(section):'"
    }
    if let ours = synonyms[key] { return "it is called '\(ours)' here" }
    if let nearest = NearestName.of(key, among: knownThere) { return "did you mean '\(nearest)'?" }
    let elsewhere = allKeys() + sections.map { (key: $0.key, section: $0.value) }
    if let nearest = NearestName.of(key, among: elsewhere.map(\.key)),
      let section = elsewhere.first(where: { $0.key == nearest })?.section
    {
      return "did you mean '\(section.isEmpty ? nearest : section + "." + nearest)'?"
    }
    return "known here: " + knownThere.joined(separator: ", ")
  }

  private func section(holding key: String) -> String? {
    allKeys().first { $0.key == key }?.section
  }

  /// Every key with the dotted path of the section that holds it, outermost first.
  private func allKeys(under section: String = "") -> [(key: String, section: String)] {
    guard let mapping, !isOpen else { return [] }
    return mapping.keys.map { ($0, section) }
      + mapping.entries.flatMap { $0.value.allKeys(under: section.isEmpty ? $0.key : section + "." + $0.key) }
  }
}
