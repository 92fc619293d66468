"""Writes Sources/GraftTokenizers/PreTokenizers/ScriptTable.swift: the scripts as the tokenizers library's UnicodeScripts tells them apart.

The library's own table is asked, one character at a time: python3 Scripts/make-script-table.py
"""

from pathlib import Path

from tokenizers.pre_tokenizers import UnicodeScripts

TARGET = Path(__file__).parent.parent / "Sources/GraftTokenizers/PreTokenizers/ScriptTable.swift"
splitter = UnicodeScripts()


def pieces(text):
    return len(splitter.pre_tokenize_str(text))


def characters():
    return (chr(code) for code in range(0x110000) if not 0xD800 <= code <= 0xDFFF)


def belongs_anywhere(character):
    """Whether the character splits neither Latin nor Han: it has no script of its own."""
    return pieces("A" + character + "A") == 1 and pieces("\u4e00" + character + "\u4e00") == 1


def main():
    assigned = [c for c in characters() if not belongs_anywhere(c)]
    runs = [list(map(ord, text)) for text, _ in splitter.pre_tokenize_str("".join(assigned))]
    representatives, table = [], []
    for run in runs:
        first = chr(run[0])
        script = next((i for i, other in enumerate(representatives) if pieces(other + first) == 1), None)
        if script is None:
            script = len(representatives)
            representatives.append(first)
        start = run[0]
        for code, following in zip(run, run[1:] + [None]):
            if following != code + 1:
                table.append((start, code, script))
                start = following
    lines, line = [], ""
    for start, end, script in table:
        entry = f"{start:X}-{end:X}:{script}"
        if len(line) + len(entry) > 118:
            lines.append(line.rstrip())
            line = ""
        line += entry + " "
    lines.append(line.rstrip())
    body = "\n".join("    " + line for line in lines)
    TARGET.write_text(
        "/// The ranges of characters that have a script, as `first-last:script` in hexadecimal code points, in order, with the kana counted\n"
        "/// as Han. Made by Scripts/make-script-table.py from the tokenizers library's own table.\n"
        f'let scriptTable = """\n{body}\n    """\n'
    )
    print(len(representatives), "scripts,", len(table), "ranges")


main()
