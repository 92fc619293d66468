import Foundation
import GraftJSON
import GraftTemplates
import Testing

/// Renders a template without messages.
private func render(_ source: String, _ variables: [String: JSON] = [:]) throws -> String {
  try ChatTemplate(source).render(messages: [], specialTokens: [:], variables: variables).text
}

private func error(_ source: String, _ variables: [String: JSON] = [:]) -> ChatTemplateError? {
  do {
    _ = try render(source, variables)
    return nil
  } catch {
    return error as? ChatTemplateError
  }
}

@Suite struct ChatTemplateTests {
  @Test func controlsWhiteSpaceAroundTags() throws {
    #expect(try render("a\n  {% if true %}\n  b\n  {% endif %}\nc\n") == "a\n  b\nc")
    #expect(try render("a\n  {%+ if true +%}\n  b\n  {%- endif -%}\n c") == "a\n  \n  bc")
    #expect(try render("a {{- 1 -}} b {# note #}\nc") == "a1b c")
    #expect(try render("{% raw %}{{ x }}{% endraw %}") == "{{ x }}")
  }

  @Test func keepsScopesAsJinja() throws {
    #expect(try render("{% set x = 1 %}{% for i in [1, 2] %}{{ x }}{% set x = 5 %}{{ x }}{% endfor %}") == "1515")
    #expect(
      try render("{% set n = namespace(c=0) %}{% for i in 'abc' %}{% set n.c = n.c + 1 %}{% endfor %}{{ n.c }}") == "3")
    #expect(try render("{% macro m() %}{{ x }}{% endmacro %}{% set x = 1 %}{{ m() }}", ["x": "given"]) == "1")
    #expect(try render("{% for i in [1] %}{{ x }}{% endfor %}{% set x = 1 %}{{ x }}", ["x": "given"]) == "1")
    #expect(try render("{% if x %}{% set x = 2 %}{% endif %}{{ x }}", ["x": 1]) == "2")
  }

  @Test func evaluatesFiltersOnlyWhenAsked() throws {
    #expect(try render("{% set g = [1, 2]|map('string') %}{{ g|join }}{{ g|join }}") == "12")
    #expect(
      try render(
        "{% set n = namespace(seen=false) %}{% for i in [1, 2, 3] if not n.seen %}{{ i }}"
          + "{% if i == 2 %}{% set n.seen = true %}{% endif %}{% endfor %}") == "12")
  }

  @Test func comparesTextByScalars() throws {
    #expect(try render("{{ a == b }} {{ a|length }}{{ b|length }}", ["a": "é", "b": "e\u{301}"]) == "False 12")
    #expect(try render("{{ '\r\n'|length }}{{ x|length }}{{ x.split('\\n')|length }}", ["x": "a\r\nb"]) == "142")
  }

  @Test func givesVariablesThatWinOverSpecialTokens() throws {
    let template = try ChatTemplate("{{ bos_token }}{{ tools is none }}{{ x }}")
    let rendered = try template.render(
      messages: [], specialTokens: ["bos_token": "<s>", "x": "1"], variables: ["x": 2])
    #expect(rendered == RenderedChat(text: "<s>True2", assistantSpans: []))
  }

  @Test func marksGeneratedTextInBytes() throws {
    let template = try ChatTemplate(
      "é{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}|{% endfor %}")
    let rendered = try template.render(messages: [["content": "ü"], ["content": "ab"]], specialTokens: [:])
    #expect(rendered.text == "éü|ab|")
    #expect(rendered.assistantSpans == [2..<4, 5..<7])
  }

  @Test func keepsSpansInsideTheText() throws {
    let rendered = try ChatTemplate("{% set x %}{% generation %}lost{% endgeneration %}{% endset %}a")
      .render(messages: [], specialTokens: [:])
    #expect(rendered.text == "a")
    #expect(rendered.assistantSpans.allSatisfy { $0.upperBound <= 1 })
  }

  @Test(arguments: [
    ("{% if x %}", 1), ("a\n{{ 1 + }}", 2), ("\n\n{% endfor %}", 3), ("{{ 'a' }", 1), ("{{ x|nofilter }}", 1),
    ("{{ x is notest }}", 1), ("{# open", 1), ("{% raw %}", 1), ("{% break %}", 1), ("{% do x %}", 1),
    ("{% include 'x' %}", 1), ("{{ (1] }}", 1), ("{% for loop in x %}{% endfor %}", 1), ("{{ f(a=1, 2) }}", 1),
    ("{{ 99999999999999999999 }}", 1), ("{% set 1 = 2 %}", 1), ("{{ '\\x4' }}", 1), ("{{ '\\ud800' }}", 1),
  ])
  func refusesWhatIsNotJinja(_ source: String, _ line: Int) {
    let found = error(source)
    #expect(found?.kind == .syntax, "\(source): \(found.map(String.init(describing:)) ?? "accepted")")
    #expect(found?.line == line, "\(source)")
  }

  @Test func namesTheLineThatFailed() {
    let failure = error("a\n{% for i in [1] %}\n{{ missing.part }}\n{% endfor %}")
    #expect(failure?.kind == .undefined)
    #expect(failure?.line == 3)
    #expect(
      failure?.description
        == "chat_template:3: 'missing' is undefined; check the messages' keys and the variables that the template reads")
    #expect(error("\n{{ raise_exception('no') }}")?.kind == .raised)
    #expect(error("{{ 1 + 'a' }}")?.kind == .value)
  }

  @Test(arguments: [
    "{{ [].append(1) }}", "{{ {}.update({}) }}", "{{ ''.__class__.mro() }}", "{{ x.__init__() }}",
    "{{ {'a': 1}.pop('a') }}", "{{ namespace(_x=1) }}",
  ])
  func keepsTheSandboxShut(_ source: String) {
    #expect(error(source, ["x": ["a": 1]])?.kind == .security, "\(source)")
  }

  @Test(arguments: [
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "{% set n = namespace(x='ab') %}{% for i in range(99) %}{% set n.x = n.x + n.x %}{% endfor %}",
    "{% set n = namespace(x=[1]) %}{% for i in range(99) %}{% set n.x = n.x + n.x %}{% endfor %}",
    "{{ 'a' * 999999999999 }}", "{{ '%999999999d' % 1 }}", "{{ 'a'.ljust(999999999) }}", "{{ '{:999999999}'.format(1) }}",
    "{% set n = namespace(x=1) %}{% for i in range(99999) %}{% set n.x = [n.x] %}{% endfor %}",
    "{% set n = namespace(x=1) %}{% set n.x = {'n': n} %}{{ n }}",
    "{% set n = namespace(x=[1]) %}{% for i in range(99999) %}{% set n.x = n.x|map('string') %}{% endfor %}{{ n.x|list }}",
    "{% set n = namespace(x=[1]) %}{% for i in range(99999) %}{% set n.x = [n.x.copy] %}{% endfor %}",
    "{% set n = namespace(x=1) %}{% for i in range(99999) %}{% for j in [n.x] %}{% set n.x = loop %}{% endfor %}{% endfor %}",
    "{{ range(999999) }}", "{{ 2 ** 64 }}", "{{ 9223372036854775807 + 1 }}", "{{ [1] * 999999999 }}",
    // Texts and lists that would be much larger than what they are made of.
    "{{ ('a' * 1000000)|replace('a', 'b' * 1000000) }}", "{{ ('a' * 1000000).replace('', 'b' * 1000000) }}",
    "{{ ('a\n' * 1000000)|indent('b' * 1000000) }}", "{{ (['a'] * 1000000)|join('b' * 1000000) }}", "{{ ('b' * 1000000).join(['a'] * 1000000) }}",
    "{{ (['a' * 1000000] * 1000000)|join }}", "{% set x = 'a' * 60000000 %}{{ x ~ x ~ x ~ x ~ x ~ x ~ x ~ x }}",
    "{{ [1]|batch(999999999, 0)|list }}", "{{ [1]|slice(999999999)|list }}", "{{ ('a ' * 9000000).split()|length }}",
    "{{ ('a' * 9000000)|list|length }}", "{{ ('a\n' * 9000000).splitlines()|length }}", "{{ [[1]]|tojson(indent=60000000) }}",
    "{{ strftime_now('%Y' * 1000000) }}", "{{ (['a' * 100] * 1000000)|string|length }}",
    // Values whose parts are the same value over and over.
    "{% set n = namespace(x=[1]) %}{% for i in range(60) %}{% set n.x = [n.x, n.x] %}{% endfor %}",
    "{% set n = namespace(x=[1]) %}{% for i in range(20) %}{% set n.x = [n.x] * 9 %}{% endfor %}{{ n.x|tojson }}",
    // Work in proportion to what it is done on.
    "{% set x = 'a' * 9000000 %}{% for i in range(99999) %}{{ 'zz' in x }}{% endfor %}",
    "{% set x = 'a' * 9000000 %}{% for i in range(99999) %}{{ x|length }}{{ x[i] }}{{ x[:i]|length }}{% endfor %}",
    "{% set x = [3, 1, 2] * 100000 %}{% for i in range(99999) %}{% set y = x|sort %}{% endfor %}",
    "{% set x = [0] * 1000000 %}{% for i in range(99999) %}{{ 1 in x }}{% endfor %}",
  ])
  func stopsRunawayTemplates(_ source: String) {
    #expect(error(source)?.kind == .limit, "\(source)")
  }

  /// Python's answers.
  @Test func searchesAndCutsLikePython() throws {
    #expect(
      try render("{{ 'aaaa'.rfind('aa') }} {{ 'aaaa'.count('aa') }} {{ 'aaaaa'|replace('aa', 'b') }} {{ 'ababac'.find('abac') }}") == "2 2 bba 2")
    #expect(try render("{{ 'éaé'.find('aé') }} {{ 'éaé'.rfind('é') }} {{ ''.find('') }} {{ 'abc'.rfind('') }} {{ 'abc'.find('d') }}") == "1 2 0 3 -1")
    #expect(try render("{{ 'abab'.split('ab') }} {{ 'aXbXc'.rsplit('X', 1) }}") == "['', '', ''] ['aXb', 'c']")
    #expect(
      try render("{{ 'abcdef'[1:4] }} {{ 'abc'[-2:] }} {{ 'abc'[5:] }}. {{ 'abc'[2:1] }}. {{ 'abc'[::-1] }} {{ 'abcd'[::2] }}") == "bcd bc . . cba ac"
    )
    #expect(try render("{{ [1, 2, 3, 4][1:] }}{{ [1, 2, 3][-5:2] }}{{ [1, 2, 3][::-2] }}") == "[2, 3, 4][1, 2][3, 1]")
    #expect(try render("{{ 'a<b>c</b> <!-- x --> d'|striptags }}") == "ac d")
    #expect(try render("{{ ('ab' * 1000000).split('b')|length }} {{ ('a' * 100000 ~ 'b') in ('a' * 3000000) }}") == "1000001 False")
  }

  @Test func knowsWhichMessageItWritesFor() throws {
    let source =
      "x{% for m in messages %}{% for c in m.content %}{{ c }}{% endfor %}{% if loop.first %}{% for o in messages[1:] %}({{ o.content }}){% endfor %}!{% endif %}{% endfor %}y"
    let rendered = try ChatTemplate(source).render(messages: [["content": "ab"], ["content": "ü"]], specialTokens: [:])
    #expect(rendered.text == "xab(ü)!üy")
    #expect(
      rendered.messageSpans == [
        MessageSpan(message: 0, range: 1..<3), MessageSpan(message: 1, range: 3..<7), MessageSpan(message: 0, range: 7..<8),
        MessageSpan(message: 1, range: 8..<10),
      ])
    do {
      _ = try ChatTemplate("{% for m in messages %}{% for c in [1] %}{{ m.content + 'x' }}{% endfor %}{% endfor %}")
        .render(messages: [["content": "a"], ["content": 1]], specialTokens: [:])
      Issue.record("nothing was refused")
    } catch {
      #expect(error.messageIndex == 1)
      #expect(error.description.hasPrefix("chat_template:1: message 2: unsupported operand"))
    }
  }

  @Test func stopsDeepNesting() {
    let parentheses = String(repeating: "(", count: 5000)
    #expect(error("{{ " + parentheses)?.kind == .limit)
    #expect(error(String(repeating: "{% if 1 %}", count: 5000))?.kind == .limit)
    #expect(error("{{ " + String(repeating: "-", count: 5000) + "1 }}")?.kind == .limit)
    for link in [" + 1", " or 0", " if 0 else 1", ".b", "|upper", " ~ 1"] {
      let long = error("{{ 1" + String(repeating: link, count: 50_000) + " }}")
      #expect(long == nil || long?.kind == .limit, "\(link)")
    }
  }

  @Test func showsReasoningUnderBothNames() throws {
    let template = try ChatTemplate("{{ messages[0]|tojson }}")
    let rendered = try template.render(messages: [["role": "assistant", "reasoning": "r"]], specialTokens: [:])
    #expect(
      rendered.text
        == #"{"thinking": "r", "role": "assistant", "reasoning": "r", "reasoning_content": "r"}"#)
  }
}
