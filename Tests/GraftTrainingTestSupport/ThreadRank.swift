import GraftTensors
import GraftTraining

/// A thread that stands for a process.
public struct ThreadRank: Communicator {
  let meeting: Meeting
  public let rank: Int
  public var size: Int { meeting.size }

  public init(meeting: Meeting, rank: Int) { (self.meeting, self.rank) = (meeting, rank) }

  public func sum(_ values: inout [Double]) { values = meeting.sum(values, of: rank) }

  public func sum(_ gradients: inout Gradients, of parameters: [Parameter]) {
    for parameter in parameters {
      let own = gradients[parameter]?.values ?? Array(repeating: 0, count: parameter.shape.elementCount)
      gradients[parameter] = Tensor(meeting.sum(own.map(Double.init), of: rank).map(Float.init), parameter.shape)
    }
  }
}
