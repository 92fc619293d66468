import Foundation

/// The fate of damaged inputs.
public struct FuzzReport {
  public var count = 0
  /// The number of those that were refused; the others were read as something.
  public var refused = 0
  /// Events that should not have happened.
  public var problems: [String] = []
}

/// Damaged inputs for one reader after another: refused, or read as what they are; no crash, no endless loop, no memory out of
/// proportion. 2,000 of them unless the environment's `GRAFT_FUZZ_COUNT` says otherwise, which then are others every time.
public enum Fuzzing {
  public static let count = ProcessInfo.processInfo.environment["GRAFT_FUZZ_COUNT"].flatMap { Int($0) } ?? 2000

  /// The seed of the damage.
  public static let seed: UInt64 = count == 2000 ? 20_260_821 : .random(in: 0...UInt64.max)

  /// Damages bytes.
  ///
  /// - Parameters:
  ///   - factor: how many times larger than the input that may be which is read from it.
  ///   - isRefusal: true where an error is one of those that say what is wrong with an input.
  ///   - read: reads one input and returns the bytes of what was read.
  public static func bytes(
    like seeds: [[UInt8]], factor: Int = 4, isRefusal: (any Error) -> Bool, _ read: ([UInt8]) throws -> Int
  ) -> FuzzReport {
    var mutator = Mutator(seed: seed, seeds: seeds)
    return run({ mutator.next() }, factor: factor, isRefusal: isRefusal, read)
  }

  /// Takes inputs from `next` until there are enough.
  public static func run(
    _ next: () -> [UInt8], factor: Int, isRefusal: (any Error) -> Bool, _ read: ([UInt8]) throws -> Int
  ) -> FuzzReport {
    var report = FuzzReport()
    while report.count < count {
      let input = next()
      let began = processorSeconds
      do {
        let size = try read(input)
        if size > factor * input.count + 4096 { report.problems.append("\(size) bytes were read from \(input.count)") }
      } catch {
        report.refused += 1
        if !isRefusal(error) { report.problems.append("an unexpected error: \(error)") }
      }
      let seconds = processorSeconds - began
      if seconds > 1 { report.problems.append("an input of \(input.count) bytes took \(seconds) s") }
      report.count += 1
    }
    return report
  }

  /// The processor time of this thread in seconds, which other processes do not lengthen.
  public static var processorSeconds: Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }
}
