#!/usr/bin/env python3
"""Tries the mutations of Scripts/mutations.toml against the tests, and writes what kills each to Documentation/Mutations.md.

A mutation is a small fault: a piece of a source file, exactly as it stands there, and what stands there instead. All of them are built
into ONE copy of the package, beside the checkout and never in it, where the environment variable GRAFT_MUTATION chooses the fault that a
process has. The tests that a mutation names run first; where they pass, all tests run. A piece that is no longer found, or found twice,
ends the program at once: code has moved, and the list moves with it.

    python Scripts/mutate.py --list
    python Scripts/mutate.py                      # builds, tries all, writes the table
    python Scripts/mutate.py --only clipping      # those whose name or area has this in it; writes nothing

Needs Python 3.11 and what the package is built with. A first build takes minutes; `--copy` says where it stays for the next.
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
TABLE = ROOT / "Documentation" / "Mutations.md"
CHOSEN = "GRAFT_MUTATION"

SWIFT_SWITCH = f"""import Foundation

private let chosenMutation = getenv("{CHOSEN}").flatMap {{ Int(String(cString: $0)) }} ?? 0

func isMutated(_ number: Int) -> Bool {{ chosenMutation == number }}
"""
C_SWITCH = f"""
#include <stdlib.h>
static inline int isMutated(int number) {{
  static int chosen = -1;
  if (chosen < 0) {{
    const char *text = getenv("{CHOSEN}");
    chosen = text ? atoi(text) : 0;
  }}
  return chosen == number;
}}
"""


class Mutation:
    """One fault: where it is, what it is, and the tests that are to notice it."""

    def __init__(self, number, entry):
        self.number = number
        self.name, self.area, self.file = entry["name"], entry["area"], entry["file"]
        self.original, self.mutated = entry["original"], entry["mutated"]
        # A longer piece around the original, where that alone is not the only one of its kind.
        self.within = entry.get("within", self.original)
        # An expression becomes a choice of two; statements are run or not.
        self.is_statement = entry.get("statement", False)
        self.tests = entry["tests"]

    def place(self, text):
        """Where the original begins in the text of its file."""
        for piece, where, what in ((self.within, text, self.file), (self.original, self.within, "its surroundings")):
            if where.count(piece) != 1:
                sys.exit(f"Scripts/mutations.toml: {self.name}: found {where.count(piece)} times in {what}: {piece}")
        return text.index(self.within) + self.within.index(self.original)

    @property
    def switched(self):
        """The original and the mutation, of which one is chosen while the program runs."""
        condition = f"isMutated({self.number})"
        if not self.is_statement:
            return f"({condition} ? ({self.mutated}) : ({self.original}))"
        # C wants brackets around a condition, and Swift does not mind them.
        if not self.mutated:
            return f"if (!{condition}) {{ {self.original} }}"
        return f"if ({condition}) {{ {self.mutated} }} else {{ {self.original} }}"


def mutations():
    with open(ROOT / "Scripts" / "mutations.toml", "rb") as file:
        entries = tomllib.load(file)["mutation"]
    names = [entry["name"] for entry in entries]
    if len(set(names)) < len(names):
        sys.exit(f"Scripts/mutations.toml: twice: {next(name for name in names if names.count(name) > 1)}")
    return [Mutation(number, entry) for number, entry in enumerate(entries, 1)]


def switched_sources(every):
    """The text of every file with mutations, with all of them in it."""
    texts = {}
    for file in sorted({mutation.file for mutation in every}):
        text = (ROOT / file).read_text()
        places = sorted(((m.place(text), m) for m in every if m.file == file), key=lambda pair: -pair[0])
        end = len(text)
        for start, mutation in places:
            if start + len(mutation.original) > end:
                sys.exit(f"Scripts/mutations.toml: {mutation.name}: overlaps the next mutation of {file}")
            end = start
            text = text[:start] + mutation.switched + text[start + len(mutation.original) :]
        texts[file] = text
    return texts


def make_copy(copy, texts):
    """A copy of what git knows or would take, with the mutations built in; only what differs is written, for the build's sake."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True).stdout
    # The versions of the dependencies are those of the checkout.
    names = [name for name in ["Package.resolved", *listed.decode().split("\0")] if name and (ROOT / name).is_file()]
    contents = {name: texts[name].encode() if name in texts else (ROOT / name).read_bytes() for name in names}
    for module in sorted({pathlib.Path(file).parts[1] for file in texts if file.endswith(".swift")}):
        contents[f"Sources/{module}/MutationSwitch.swift"] = SWIFT_SWITCH.encode()
    header = "Sources/CKernels/kernels.h"
    contents[header] = re.sub(rb"(#define \w+_H\n)", lambda match: match[0] + C_SWITCH.encode(), contents[header], count=1)
    assert C_SWITCH.encode() in contents[header], f"{header}: no place for the switch"
    for name, content in contents.items():
        path = copy / name
        if path.is_file() and path.read_bytes() == content:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        shutil.copymode(ROOT / name if (ROOT / name).exists() else ROOT / "Package.swift", path)
    for folder in ("Sources", "Tests"):
        for path in (copy / folder).rglob("*"):
            if path.is_file() and str(path.relative_to(copy)) not in contents:
                path.unlink()


def build(copy):
    print("building the copy ...", flush=True)
    done = subprocess.run(["swift", "build", "-c", "release", "--build-tests"], cwd=copy, capture_output=True, text=True)
    if done.returncode:
        errors = [line for line in done.stdout.splitlines() if "error:" in line]
        sys.exit("the copy does not build:\n" + "\n".join(errors[:20] or done.stderr.splitlines()[-20:]))


def run(copy, number, tests, limit):
    """The names of the tests that fail under a mutation; `tests` are regular expressions of test names, all where empty."""
    bundle = copy / ".build" / "release" / "graftPackageTests.xctest"
    filters = [part for test in tests for part in ("--filter", test)]
    environment = dict(os.environ, **{CHOSEN: str(number)})
    command = [str(bundle), "--testing-library", "swift-testing", *filters]
    try:
        done = subprocess.run(
            command, cwd=copy, env=environment, capture_output=True, text=True, errors="replace", timeout=limit, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return ["(no end)"]
    if done.returncode == 0:
        if not re.search(r"Test run with [1-9]\d* test", done.stdout + done.stderr):
            raise LookupError(f"no test is called {' or '.join(tests)}")
        return []
    output = done.stdout + done.stderr
    failed = re.findall(r"Test (?!run|case)(.+?) failed after", output)
    return sorted(set(failed), key=failed.index) or [f"(ends with {done.returncode})"]


def fail_again(copy, number, failed, limit):
    """Those of the tests that fail a second time, too: some have little time. One with a title of its own cannot be asked for."""
    if not failed:
        return []
    names = [re.escape(plain(name)) for name in failed if not name.startswith(("(", '"'))]
    try:
        return run(copy, number, names, limit) if len(names) == len(failed) else failed
    except LookupError:
        return failed


def outcome(mutation, copy, limit):
    """The tests that kill a mutation: of those it names, else of all."""
    failed = run(copy, mutation.number, mutation.tests, limit)
    if failed:
        return failed
    return fail_again(copy, mutation.number, run(copy, mutation.number, [], 3 * limit), limit)


def plain(test):
    """The name of a test without its parameters and quotes."""
    return re.sub(r"\([^()]*\)$", "", test).strip('"')


def shown(tests):
    names = [plain(test) for test in tests]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(name if name.startswith("(") else f"`{name}`" for name in names[:3]) + more


def table(every, killers):
    killed = sum(bool(killers[m.number]) for m in every)
    lines = [
        "# Mutations",
        "",
        "Small faults, each built into a copy of the package and tried against its tests by `Scripts/mutate.py`: a test that fails kills it.",
        "The list is `Scripts/mutations.toml`; this table is written by the script.",
        "",
        f"**{killed} of {len(every)} are killed**, {100 * killed / len(every):.1f} %.",
        "",
        "| area | mutation | file | killed by |",
        "| --- | --- | --- | --- |",
    ]
    for mutation in sorted(every, key=lambda m: m.area):
        by = shown(killers[mutation.number]) or "**survives**"
        lines.append(f"| {mutation.area} | {mutation.name} | `{pathlib.Path(mutation.file).name}` | {by} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="check the list against the code and print it")
    parser.add_argument("--only", default="", help="only mutations with this in their name or area; the table is left alone")
    parser.add_argument("--copy", type=pathlib.Path, help="where the copy is made and stays")
    parser.add_argument("--jobs", type=int, default=2, help="how many run side by side")
    parser.add_argument("--limit", type=int, default=300, help="seconds after which tests that do not end count as failed")
    options = parser.parse_args()

    every = mutations()
    texts = switched_sources(every)
    if options.list:
        for mutation in every:
            print(f"{mutation.number:3} {mutation.area}: {mutation.name} ({mutation.file})")
        return
    copy = (options.copy or pathlib.Path(tempfile.gettempdir()) / "graft-mutations").resolve()
    if copy == ROOT or ROOT in copy.parents:
        sys.exit("--copy: choose a place outside the checkout")
    copy.mkdir(parents=True, exist_ok=True)
    make_copy(copy, texts)
    build(copy)

    needed = sorted({test for mutation in every for test in mutation.tests})
    broken = run(copy, 0, needed, 3 * options.limit)
    if broken and fail_again(copy, 0, broken, options.limit):
        sys.exit(f"these tests fail without any mutation: {', '.join(broken)}")
    chosen = [m for m in every if options.only.lower() in f"{m.area} {m.name}".lower()]
    killers = {}
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for mutation, tests in zip(chosen, pool.map(lambda m: outcome(m, copy, options.limit), chosen)):
            killers[mutation.number] = tests
            print(f"{mutation.number:3} {'killed' if tests else 'SURVIVES'}: {mutation.name}: {shown(tests)}", flush=True)
    if not options.only:
        TABLE.write_text(table(every, killers))
    survivors = [m.name for m in chosen if not killers[m.number]]
    print(f"{len(chosen) - len(survivors)} of {len(chosen)} killed" + "".join(f"\nsurvives: {name}" for name in survivors))
    sys.exit(1 if survivors else 0)


main()
