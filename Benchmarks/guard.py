"""Counts the instructions of a fixed small training step and compares them with `instructions.json`: `make guard`.

    python3 Benchmarks/guard.py [--update]

LoRA on the seedling, 2 sequences of 24 tokens, one thread: a tenth of what 12 steps take more than 2, and what is left of 2 steps, the start of
the process. The counts do not depend on the machine's speed or on what else runs there. valgrind counts; it knows no AVX-512, so that what is counted is the path of processors with
AVX2, and it gives up on debug information of today's compilers, so that it runs a stripped copy. An intended change is written down with
`--update`, and its reason belongs into the commit.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RECORD = ROOT / "Benchmarks/instructions.json"
# The start is the work of libraries too, which versions and the count of cores change.
TOLERANCES = {"instructions_per_step": ("a step", 0.03), "start_up": ("the start", 0.1)}
STEPS = (2, 12)


def instructions(program, steps):
    """The instructions of a whole process."""
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", program, "bench", "--model", "Data/models/seedling",
               "--batch-size", "2", "--sequence-length", "24", "--threads", "1", "--warmup", "0", "--steps", str(steps), "--no-peak", "--json"]
    process = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=os.environ | {"GRAFT_MATRIX_TILE": "avx2"})
    counted = re.search(r"Collected : (\d+)", process.stderr)
    if process.returncode != 0 or not counted:
        sys.exit(f"error: graft bench failed under valgrind\n{process.stderr[-2000:]}")
    return int(counted.group(1)), json.loads(process.stdout)["matrix_tile"]


def main():
    with tempfile.TemporaryDirectory() as folder:
        program = f"{folder}/graft"
        subprocess.run(["strip", "-o", program, os.environ.get("GRAFT", ROOT / ".build/release/graft")], check=True)
        (few, tile), (many, _) = (instructions(program, steps) for steps in STEPS)
    step = round((many - few) / (STEPS[1] - STEPS[0]))
    counts = {"instructions_per_step": step, "matrix_tile": tile, "start_up": few - STEPS[0] * step}
    if "--update" in sys.argv:
        RECORD.write_text(json.dumps(counts, indent=2) + "\n")
        return print(f"{step:,} instructions a step: written to {RECORD.relative_to(ROOT)}")
    if not RECORD.exists():
        sys.exit(f"error: {RECORD.relative_to(ROOT)}: not found; run `python3 Benchmarks/guard.py --update`")
    record = json.loads(RECORD.read_text())
    if tile != record["matrix_tile"]:
        return print(f"left out: the figure is of the {record['matrix_tile']} tile, and this machine has {tile}")
    changes = {name: counts[name] / record[name] - 1 for name in TOLERANCES}
    for name, change in changes.items():
        print(f"{counts[name]:,} instructions of {TOLERANCES[name][0]} ({tile}), {change:+.2%} of {record[name]:,}")
    for name, (words, tolerance) in TOLERANCES.items():
        if changes[name] > tolerance:
            sys.exit(f"error: {words} takes {changes[name]:.1%} more instructions than Benchmarks/instructions.json says; mend it, or run "
                     "`python3 Benchmarks/guard.py --update` and say why")
    if any(changes[name] < -tolerance for name, (_, tolerance) in TOLERANCES.items()):
        print("run `python3 Benchmarks/guard.py --update` to keep the gain")


if __name__ == "__main__":
    main()
