import GraftBatching
import GraftDatasets
import GraftLayers
import GraftTensors

/// How the hidden states of a text become one vector.
public enum Pooling: String, Sendable, CaseIterable {
  /// Their mean.
  case mean
  /// That of the first token.
  case cls
  /// That of the last token.
  case last
}

extension ModelSession {
  /// One vector a record, from the last hidden states after the final norm.
  /// - Returns: `[records][hidden]`.
  public func embeddings(of path: String, pooling: Pooling) throws -> [[Float]] {
    let tokenizer = try tokenizer()
    let texts = try DataFile.records(of: path).map { record in
      guard let text = record.fields["text"]?.string ?? record.fields["prompt"]?.string else {
        throw DatasetError(file: record.file, line: record.line, problem: "has no \"text\"", advice: "write {\"text\": \"...\"}")
      }
      let ids = tokenizer.encode(text)
      guard !ids.isEmpty else { throw DatasetError(file: record.file, line: record.line, problem: "has no tokens", advice: "write a text") }
      try model.check(ids, of: "\(record.file):\(record.line)")
      return ids
    }
    return try texts.indices.grouped(tokens: { texts[$0].count }).flatMap { group in
      let input = SequenceInput(group.map { texts[$0] })
      let hidden = model.hiddenStates(input, .inference)
      let values = hidden.values, width = hidden.shape.columns
      try requireFinite(values)
      return input.spans.map { span -> [Float] in
        func row(_ index: Int) -> ArraySlice<Float> { values[index * width..<(index + 1) * width] }
        switch pooling {
        case .cls: return Array(row(span.start))
        case .last: return Array(row(span.range.upperBound - 1))
        case .mean:
          var sums = [Double](repeating: 0, count: width)
          for index in span.range { for (column, value) in row(index).enumerated() { sums[column] += Double(value) } }
          return sums.map { Float($0 / Double(span.count)) }
        }
      }
    }
  }

  /// The cosine of every pair of vectors.
  public static func cosineSimilarities(_ vectors: [[Float]]) -> [[Float]] {
    let norms = vectors.map { vector in vector.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot() }
    return vectors.indices.map { i in
      vectors.indices.map { j in
        let dot = zip(vectors[i], vectors[j]).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
        return Float(dot / max(norms[i] * norms[j], 1e-12))
      }
    }
  }
}
