#!/usr/bin/env python3
"""Makes the README's pictures from a run of the quickstart: the terminal as an SVG, and its report as a PNG by a headless Chromium.

    python3 Scripts/make-pictures.py            # after `make build`; Debian's `chromium` for the report
"""

import html
import os
import pty
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COLUMNS, SHOWN_BAR, SHOWN_STEPS = 110, 0.6, 3
SIZE, LINE, MARGIN = 13, 19, 18
COLOURS = {30: "#7d8590", 31: "#ff7b72", 32: "#7ee787", 33: "#e3b341", 34: "#79c0ff", 35: "#d2a8ff", 36: "#76e3ea", 37: "#e6edf3", 90: "#7d8590"}


def run_in_terminal(command):
    """What a command writes on a terminal of COLUMNS columns."""
    written = bytearray()

    def read(descriptor):
        data = os.read(descriptor, 1 << 16)
        written.extend(data)
        return data

    os.environ["TERM"] = "xterm-256color"
    os.environ.pop("NO_COLOR", None)
    status = pty.spawn(["sh", "-c", f"stty cols {COLUMNS} rows 50; exec {command}"], read)
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit(f"error: {command}: failed")
    return written.decode()


def lines_of(text):
    """The lines that stay on the screen, and the progress bar as it stood at SHOWN_BAR of the steps."""
    lines, bar = [], None
    for line in text.replace("\r\n", "\n").split("\n"):
        states = [part for part in re.split(r"\r\x1b\[2K|\r", line) if part]
        for state in states:
            match = re.search(r"━.* (\d+)/(\d+) ", re.sub(r"\x1b\[[0-9;]*m", "", state))
            if match and bar is None and int(match[1]) >= SHOWN_BAR * int(match[2]):
                bar = state
                lines.append(bar)
        rest = states[-1] if states else ""
        if "━" not in rest and rest.strip():
            lines.append(rest)
    # Of the log its beginning and its end.
    steps = [line for line in lines if re.match(r"step \d", line)]
    left_out = set(steps[SHOWN_STEPS:-1])
    shown = [line for line in lines if line not in left_out and "eval at step 100" not in line and "eval at step 200" not in line]
    shown.insert(shown.index(steps[SHOWN_STEPS - 1]) + 1, "...")
    return [cut(line) for line in shown]


def cut(line):
    """The line as far as the terminal shows it."""
    plain, end = 0, 0
    for piece in re.split(r"(\x1b\[[0-9;]*m)", line):
        if not piece.startswith("\x1b"):
            if plain + len(piece) > COLUMNS:
                return line[:end + COLUMNS - plain - 1] + "…"
            plain += len(piece)
        end += len(piece)
    return line


def spans(line):
    """The pieces of a line, each with its colour and weight."""
    colour, bold, faint = COLOURS[37], False, False
    for piece in re.split(r"(\x1b\[[0-9;]*m)", line):
        if code := re.fullmatch(r"\x1b\[([0-9;]*)m", piece):
            for number in [int(part or 0) for part in code[1].split(";")]:
                if number == 0:
                    colour, bold, faint = COLOURS[37], False, False
                elif number in (1, 22):
                    bold = number == 1
                elif number == 2:
                    faint = True
                elif number == 39:
                    colour = COLOURS[37]
                else:
                    colour = COLOURS.get(number, colour)
        elif piece:
            yield piece, COLOURS[90] if faint else colour, bold


def picture(command, lines):
    lines = [f"\x1b[32m$\x1b[0m {command}"] + lines
    height, width = MARGIN * 2 + LINE * len(lines), MARGIN * 2 + int(COLUMNS * SIZE * 0.602)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">',
        f"<title>{html.escape(command)} in a terminal</title>",
        f'<rect width="{width}" height="{height}" rx="8" fill="#0d1117"/>',
        f'<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, DejaVu Sans Mono, monospace" font-size="{SIZE}" xml:space="preserve">',
    ]
    for index, line in enumerate(lines):
        pieces = "".join(
            f'<tspan fill="{colour}"{" font-weight=" + chr(34) + "bold" + chr(34) if bold else ""}>{html.escape(text)}</tspan>'
            for text, colour, bold in spans(line))
        out.append(f'<text x="{MARGIN}" y="{MARGIN + LINE * index + SIZE}">{pieces}</text>')
    return "\n".join(out + ["</g>", "</svg>", ""])


def photograph(page, target):
    """A page as a PNG, in as many colours as it has."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not browser:
        raise SystemExit("error: chromium: not found; install it for the picture of the report")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={folder}", "--window-size=1200,860",
             f"--screenshot={target}", page.as_uri()], check=True, capture_output=True)


def main():
    os.chdir(ROOT)
    program = ROOT / ".build/release/graft"
    if not program.exists():
        raise SystemExit(f"error: {program}: not found; run `make build`")
    text = run_in_terminal(f"{program} train Recipes/quickstart.yaml --overwrite")
    (ROOT / "Documentation/quickstart.svg").write_text(picture("graft train Recipes/quickstart.yaml", lines_of(text)))
    photograph(ROOT / "runs/quickstart/report.html", ROOT / "Documentation/report.png")


if __name__ == "__main__":
    main()
