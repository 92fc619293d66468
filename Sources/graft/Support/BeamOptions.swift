import ArgumentParser
import GraftGeneration

/// Beam search instead of choosing one token at a time.
struct BeamOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Sequences to follow side by side; 1 is no beam search.", valueName: "n"))
  var numBeams = 1

  @Option(parsing: .unconditional, help: ArgumentHelp("Above 0 favours longer answers of a beam search.", valueName: "x"))
  var lengthPenalty: Float = 1

  @Option(help: ArgumentHelp("Whether as many finished answers as beams end a search: true, never, or false, when none is likely to improve.", valueName: "when"))
  var earlyStopping = BeamSettings.EarlyStopping.heuristic

  func validate() throws {
    guard numBeams > 0 else { throw ValidationError("--num-beams: is \(numBeams); it must be at least 1") }
    guard lengthPenalty.isFinite else { throw ValidationError("--length-penalty: is \(lengthPenalty); it must be a number") }
  }

  /// Nil for no beam search.
  var settings: BeamSettings? {
    guard numBeams > 1 else { return nil }
    var settings = BeamSettings(count: numBeams)
    (settings.lengthPenalty, settings.earlyStopping) = (lengthPenalty, earlyStopping)
    return settings
  }
}

extension BeamSettings.EarlyStopping: ExpressibleByArgument {}
