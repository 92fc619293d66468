/// Something about data files that their owner should know, with the places where it is.
public struct DataFinding: Sendable, Equatable {
  /// The sort of finding.
  public enum Kind: String, Sendable, CaseIterable {
    /// A record that training refuses.
    case unusable
    /// An example without a token to learn from, which is left out.
    case withoutLoss = "without_loss"
    /// A prompt, a question or a text without anything in it.
    case emptyPrompt = "empty_prompt"
    /// An answer without anything in it.
    case emptyAnswer = "empty_answer"
    /// An example that is longer than the recipe allows.
    case cut
    /// An example in which no token that ends a text carries loss, so that a model does not learn from it when to stop.
    case endNotTrained = "end_not_trained"
    /// A record that says the same as an earlier one.
    case duplicate
    /// A prompt that an earlier record answers in another way.
    case conflict
    /// A held-out record that stands among those to train on, or its prompt does.
    case leak
    /// A conversation whose roles do not take turns.
    case roleOrder = "role_order"
    /// The text of a special token within a text.
    case specialToken = "special_token"
    /// Text that was decoded wrongly, or characters that no text should have.
    case damagedText = "damaged_text"
    /// A record with other keys than most.
    case otherKeys = "other_keys"
    /// A class with a single example.
    case rareLabel = "rare_label"
    /// Classes of which some have many more examples than others.
    case unbalanced
  }

  /// A place in a file.
  public struct Place: Sendable, Equatable {
    /// The path of the file.
    public var file: String
    /// Counted from 1; nil for a whole file.
    public var line: Int?
    /// More about the finding there.
    public var detail: String?
    /// True for a record that is held out.
    public var isHeldOut = false

    /// `FILE:LINE`.
    public var name: String { line.map { "\(file):\($0)" } ?? file }
  }

  /// The sort of finding.
  public let kind: Kind
  /// The first places, in order.
  public var places: [Place]
  /// The number of all places.
  public var count: Int

  /// The most places that are kept of a finding.
  static let keptPlaces = 1000
}

extension DataFinding.Kind {
  /// True where training ends at such a record.
  public var isFatal: Bool { self == .unusable }

  /// The finding as the title of its places.
  public var title: String {
    switch self {
    case .unusable: "records that training refuses"
    case .withoutLoss: "examples without a token to learn from, which are left out"
    case .emptyPrompt: "prompts without anything in them"
    case .emptyAnswer: "answers without anything in them"
    case .cut: "examples longer than data.max_length, which are cut"
    case .endNotTrained: "examples from which the end of an answer is not learned"
    case .duplicate: "records that repeat an earlier one"
    case .conflict: "prompts that an earlier record answers differently"
    case .leak: "held-out records that training has seen"
    case .roleOrder: "conversations whose roles do not take turns"
    case .specialToken: "texts with a special token's text in them"
    case .damagedText: "texts that look damaged"
    case .otherKeys: "records with other keys than most"
    case .rareLabel: "classes with a single example"
    case .unbalanced: "classes that are far from balanced"
    }
  }

  /// A way to deal with the finding.
  public var advice: String {
    switch self {
    case .unusable: "correct them, or take them out"
    case .withoutLoss: "raise data.max_length, or give them an answer"
    case .emptyPrompt, .emptyAnswer: "fill them in, or take them out"
    case .cut: "raise data.max_length, or shorten them"
    case .endNotTrained: "raise data.max_length, or end conversations with an answer; a model that does not learn to stop goes on and on"
    case .duplicate: "take them out, unless they are to count twice"
    case .conflict: "decide for one answer; the model learns a mixture"
    case .leak: "take them out of one of the files; they make the held-out figures too good"
    case .roleOrder: "let user and assistant take turns, the system first and the assistant last"
    case .specialToken: "take it out, unless the model is to read it as that token"
    case .damagedText: "read the source again, as UTF-8"
    case .otherKeys: "give all records the same keys"
    case .rareLabel: "correct the label where it is misspelt, or add examples"
    case .unbalanced: "compare accuracies with the share of the largest class, or set data.class_weights"
    }
  }
}

/// Findings by their kind, while data is gone through.
struct FindingList {
  private var found: [DataFinding.Kind: DataFinding] = [:]

  mutating func add(_ kind: DataFinding.Kind, at place: DataFinding.Place) {
    found[kind, default: DataFinding(kind: kind, places: [], count: 0)].count += 1
    if let count = found[kind]?.places.count, count < DataFinding.keptPlaces { found[kind]?.places.append(place) }
  }

  /// The findings in the order of their kinds.
  var all: [DataFinding] { DataFinding.Kind.allCases.compactMap { found[$0] } }
}
