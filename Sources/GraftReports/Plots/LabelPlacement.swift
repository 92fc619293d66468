import Foundation

/// Places for the names of points: none lies on another name, on a point or outside of the plot.
///
/// A name stands as near to its point as it can, and where that is not beside it a line leads there.
package enum LabelPlacement {
  /// The place of a name, in the coordinates of the plot.
  package struct Label: Sendable {
    package var name: String
    package var left: Double, top: Double, right: Double, bottom: Double
    /// The end of the line from the point, for a name that is not beside it.
    package var leader: (x: Double, y: Double)?

    /// The line that the letters stand on.
    var baseline: Double { bottom - 3.5 }

    package var box: Box { Box(left: left, top: top, right: right, bottom: bottom) }
  }

  package struct Box: Sendable {
    package var left: Double, top: Double, right: Double, bottom: Double

    package init(left: Double, top: Double, right: Double, bottom: Double) {
      (self.left, self.top, self.right, self.bottom) = (left, top, right, bottom)
    }

    package func overlaps(_ other: Box) -> Bool { left < other.right && other.left < right && top < other.bottom && other.top < bottom }
    package func holds(_ other: Box) -> Bool { left <= other.left && top <= other.top && right >= other.right && bottom >= other.bottom }
  }

  /// The largest mean width of a letter of 13 pixels over a name.
  static let letterWidth = 7.7
  static let height = 14.0
  private static let markerReach = 7.0
  /// Directions in degrees, clockwise from the right, the better ones first.
  private static let directions = [0.0, 45, -45, 90, -90, 135, -135, 180, 22, -22, 67, -67, 112, -112, 157, -157]

  private typealias Point = (name: String, x: Double, y: Double)

  /// - Parameters:
  ///   - points: the names with the middles of their markers.
  ///   - area: what the names have to stay in.
  ///   - obstacles: what they must not lie on beside markers.
  /// - Returns: as many labels as there are points, in their order. Where points crowd a line may cross a name; a name for which
  ///   there is no room at all stands beside its point.
  package static func labels(for points: [(name: String, x: Double, y: Double)], within area: Box, avoiding obstacles: [Box] = []) -> [Label] {
    // Who chooses first matters, and no order is the best for every plot.
    let ways: [(Point, Point) -> Bool] = [{ $0.x < $1.x }, { $0.x > $1.x }, { $0.y < $1.y }, { $0.y > $1.y }]
    let orders = [Array(points.indices)] + ways.map { isBefore in points.indices.sorted { isBefore(points[$0], points[$1]) } }
    let placements = orders.map { placement(of: points, choosing: $0, within: area, avoiding: obstacles) }
    return placements.min { $0.cost < $1.cost }?.labels ?? []
  }

  /// Places the names one after another, each where it is the least far from its point.
  private static func placement(
    of points: [Point], choosing order: [Int], within area: Box, avoiding obstacles: [Box]
  ) -> (labels: [Label], cost: Double) {
    let markers = points.map { Box(left: $0.x - markerReach, top: $0.y - markerReach, right: $0.x + markerReach, bottom: $0.y + markerReach) }
    var labels: [Int: Label] = [:]
    var lines: [Box] = []
    var cost = 0.0
    for index in order {
      let point = points[index]
      let taken = markers + obstacles + labels.values.map(\.box)
      let hasRoom = { (label: Label) in area.holds(label.box) && !taken.contains { $0.overlaps(label.box) } }
      let isClear = { (label: Label) in
        !lines.contains { $0.overlaps(label.box) }
          && !steps(from: point, to: label.leader).contains { step in
            // A line may start among markers that lie on one another.
            taken.contains { !$0.overlaps(markers[index]) && $0.overlaps(step) }
          }
      }
      let rooms = candidates(for: point).filter(hasRoom)
      let clear = rooms.first(where: isClear)
      let label = clear ?? rooms.first ?? candidate(for: point, direction: 0, distance: 9)
      cost += label.leader.map { hypot($0.x - point.x, $0.y - point.y) } ?? 0
      cost += clear != nil ? 0 : rooms.isEmpty ? 1e6 : 1e3
      lines += steps(from: point, to: label.leader)
      labels[index] = label
    }
    return (points.indices.compactMap { labels[$0] }, cost)
  }

  private static func candidates(for point: Point) -> [Label] {
    stride(from: 9.0, through: 240, by: 6).flatMap { distance in
      directions.map { candidate(for: point, direction: $0, distance: distance) }
    }
  }

  /// The name with the middle of its nearest side, or its nearest corner, at a distance from the point.
  private static func candidate(for point: Point, direction: Double, distance: Double) -> Label {
    let across = cos(direction * .pi / 180)
    let down = sin(direction * .pi / 180)
    let width = Double(point.name.count) * letterWidth
    let x = point.x + distance * across
    let y = point.y + distance * down
    let left = abs(across) < 0.2 ? x - width / 2 : across > 0 ? x : x - width
    let top = y + (down - 1) * height / 2
    return Label(name: point.name, left: left, top: top, right: left + width, bottom: top + height, leader: distance > 12 ? (x, y) : nil)
  }

  /// Small boxes along the line from a point to its name.
  private static func steps(from point: Point, to end: (x: Double, y: Double)?) -> [Box] {
    guard let end else { return [] }
    let count = Int(hypot(end.x - point.x, end.y - point.y) / 3)
    return (1...max(1, count)).map { step in
      let share = Double(step) / Double(max(1, count))
      let x = point.x + share * (end.x - point.x)
      let y = point.y + share * (end.y - point.y)
      return Box(left: x - 0.5, top: y - 0.5, right: x + 0.5, bottom: y + 0.5)
    }
  }
}
