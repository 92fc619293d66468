import ArgumentParser
import GraftGeneration
import GraftSessions

/// Beam search instead of choosing one token at a time; what is not given is left to the checkpoint.
struct BeamOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Sequences to follow side by side; 1 is no beam search (default: the checkpoint's, or 1).", valueName: "n"))
  var numBeams: Int?

  @Option(
    parsing: .unconditional, help: ArgumentHelp("Above 0 favours longer answers of a beam search (default: the checkpoint's, or 1).", valueName: "x"))
  var lengthPenalty: Float?

  @Option(
    help: ArgumentHelp(
      "Whether as many finished answers as beams end a search: true, never, or false, when none is likely to improve (default: the checkpoint's, or false).",
      valueName: "when"))
  var earlyStopping: BeamSettings.EarlyStopping?

  func validate() throws {
    if let numBeams, !(1...BeamSettings.largestCount).contains(numBeams) {
      throw ValidationError("--num-beams: is \(numBeams); it must be from 1 to \(BeamSettings.largestCount)")
    }
    if let lengthPenalty, !lengthPenalty.isFinite { throw ValidationError("--length-penalty: is \(lengthPenalty); it must be a number") }
  }

  func apply(to options: inout GenerationOptions) {
    (options.beamCount, options.lengthPenalty, options.earlyStopping) = (numBeams, lengthPenalty, earlyStopping)
  }
}

extension BeamSettings.EarlyStopping: ExpressibleByArgument {}
