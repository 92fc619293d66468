/// A method in a few words: the catalogue's documentation is made of these.
public struct MethodCard: Sendable, Hashable {
  /// Its usual name.
  public var title: String
  /// The formula of the adapted layer.
  public var formula: String
  /// The number of values that it trains.
  public var parameters: String
  /// The slots that it fills, or the values that it replaces.
  public var seam: String
  /// The paper.
  public var source: String

  /// A card of its five entries, in Markdown.
  public init(title: String, formula: String, parameters: String, seam: String, source: String) {
    (self.title, self.formula, self.parameters, self.seam, self.source) = (title, formula, parameters, seam, source)
  }
}

extension MethodCatalog {
  /// `Documentation/Methods.md`: one line a method, as the code has it.
  public static var documentation: String {
    let head = """
      # Methods

      The methods that `method.peft_type` of a recipe and `peft_type` of an `adapter_config.json` may name. `in` and `out` are a target's
      inputs and outputs, `L` layers, `h` the hidden size, `k` the width of keys, `V` virtual tokens.

      This page is written by `graft methods --markdown > Documentation/Methods.md`; a test holds it against the code.

      | `peft_type` | method | computes | trained values | where | merges | learning rate | source |
      | --- | --- | --- | --- | --- | --- | --- | --- |

      """
    let rows = builtIn.map { method in
      let card = method.card
      let merges = method.init().isMergeable ? "yes" : "no"
      return
        "| `\(method.name)` | \(card.title) | \(card.formula) | \(card.parameters) | \(card.seam) | \(merges) | \(method.defaultLearningRate) | \(card.source) |"
    }
    return head + rows.joined(separator: "\n") + "\n"
  }
}
