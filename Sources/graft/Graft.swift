import ArgumentParser

@main
struct GraftCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "graft", abstract: "Fine-tunes transformers on any CPU.")
}
