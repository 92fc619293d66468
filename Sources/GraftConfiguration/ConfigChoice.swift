/// A value that is one of a few names; another name is an error that lists them.
public protocol ConfigChoice: Codable, CaseIterable, RawRepresentable, Sendable, Hashable where RawValue == String {}

extension ConfigChoice {
  public init(from decoder: any Decoder) throws {
    let name = try decoder.singleValueContainer().decode(String.self)
    guard let value = Self(rawValue: name) else {
      throw ConfigError(
        location: (decoder as? TreeDecoder)?.tree.location, path: decoder.codingPath.map(\.stringValue),
        problem: "unknown value '\(name)'",
        advice: NearestName.advice(for: name, among: Self.allCases.map(\.rawValue)))
    }
    self = value
  }
}
