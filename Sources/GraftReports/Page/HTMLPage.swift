/// A self-contained page: no script, nothing from the network, light and dark, for screens of any width and for paper.
package struct HTMLPage: Sendable {
  package struct Section: Sendable {
    package var title: String
    package var content: HTML

    package init(_ title: String, _ content: HTML) {
      self.title = title
      self.content = content
    }
  }

  package var title: String
  package var subtitle: String
  /// The figures that say the most, shown large.
  package var highlights: [(label: String, value: String)]
  package var sections: [Section]

  package init(title: String, subtitle: String, highlights: [(label: String, value: String)] = [], sections: [Section]) {
    self.title = title
    self.subtitle = subtitle
    self.highlights = highlights
    self.sections = sections
  }

  package func rendered() -> String {
    let figures = highlights.map { HTML("<div><dt>\(text: $0.label)</dt><dd>\(text: $0.value)</dd></div>\n") }
    let parts = sections.map { HTML("<section>\n<h2>\(text: $0.title)</h2>\n\($0.content)\n</section>\n") }
    let page: HTML = """
      <!doctype html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <meta name="color-scheme" content="light dark">
      <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
      <title>\(text: title)</title>
      <style>
      \(HTML(markup: Self.style))
      </style>
      </head>
      <body>
      <header>
      <h1>\(text: title)</h1>
      <p>\(text: subtitle)</p>
      \(figures.isEmpty ? "" : "<dl class=\"highlights\">\n\(figures)</dl>")
      </header>
      <main>
      \(parts)</main>
      </body>
      </html>

      """
    return page.description
  }
}

extension HTML {
  /// Text in a fixed-width block that keeps its line breaks.
  package static func code(_ text: String) -> HTML { "<pre><code>\(text: text)</code></pre>" }

  /// Sentences one below the other; nothing where there are none.
  package static func list(_ sentences: [String]) -> HTML {
    sentences.isEmpty ? "" : "<ul>\(sentences.map { HTML("<li>\(text: $0)</li>") })</ul>"
  }

  /// Small plots, as many beside one another as there is room for.
  package static func smallPlotGrid(_ plots: [HTML]) -> HTML { "<div class=\"plots small\">\n\(plots)</div>" }

  /// Something folded away until it is asked for (and unfolded on paper).
  package static func details(_ title: String, _ content: HTML) -> HTML {
    "<details><summary>\(text: title)</summary>\n\(content)\n</details>"
  }
}
