import Foundation
import GraftCheckpoints
import GraftJSON
import GraftRecipes
import GraftTensors

/// The findings on this machine, and the cost of each lack.
public struct Diagnosis {
  /// The findings by name, and advice.
  public let findings: [(name: String, value: String)]
  /// Sentences on what would make this machine faster.
  public let advice: [String]

  /// Looks at the machine; the speed of products is measured, which takes a moment.
  public init() {
    let environment = ProcessInfo.processInfo.environment
    let peaks = Recipe.PrecisionName.allCases.map { precision in
      "\(Int(precision.run { Benchmark.productPeak() })) GFLOP/s in \(precision.rawValue) (\(LinearAlgebraBackend.matrixTile(for: precision.arithmetic)))"
    }
    var findings = Machine.description.map { (name: $0.label, value: $0.value) }
    findings.append(("GEMM", peaks.joined(separator: ", ")))
    findings.append(("Memory", "\(Int(MemoryBandwidth.measured() / 1e9)) GB/s read by all threads"))
    findings.append(("HDF5", HDF5Library.version))
    findings.append(("MPI", "not used"))
    var advice: [String] = []
    for name in ["OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"] {
      if let value = environment[name] {
        findings.append((name, value))
        advice.append("\(name)=\(value) pins OpenBLAS to a lesser core and may halve all speed; unset it")
      }
    }
    if LinearAlgebraBackend.kernelInstructionSet == "x86-64" {
      advice.append("this processor has no AVX2; expect a quarter of the speed of one that has")
    } else if LinearAlgebraBackend.kernelInstructionSet == "x86-64-v3" {
      advice.append("this processor has no AVX-512; one that has is about twice as fast")
    }
    if Threads.count == 1 { advice.append("only one thread is used; raise --threads where there are more cores") }
    self.findings = findings
    self.advice = advice
  }

  /// The findings by name, with `advice`.
  public var json: JSON {
    var object = JSONObject(findings.map { ($0.name, .string($0.value)) })
    object["advice"] = .array(advice.map(JSON.string))
    return .object(object)
  }

  /// A line for each finding and each piece of advice.
  public var text: String {
    (findings.map { "\($0.name.padding(toLength: 18, withPad: " ", startingAt: 0)) \($0.value)" } + advice.map { "advice: \($0)" })
      .joined(separator: "\n")
  }
}
