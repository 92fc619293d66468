#!/usr/bin/env python3
"""Makes preferences of the small sums in Data/arithmetic: to each prompt the right answer, and one that is wrong by little.

    python3 Scripts/make-preference-data.py

writes, below the folder that holds this script's folder,

    Data/preferences/{train,eval}.jsonl   {"prompt", "chosen", "rejected"}

the same to the byte on every machine, and needs nothing but Python 3.9.
"""

import json
import re
from pathlib import Path

from seedling.files import write_lines
from seedling.streams import Stream

ROOT = Path(__file__).resolve().parent.parent
COUNTS = {"train": 400, "eval": 100}
SLIPS = [-10, -3, -2, -1, 1, 2, 3, 10]


def wrong(answer, stream):
    """The same sum with a result that it does not have."""
    head, result = re.fullmatch(r"(.*= )(\d+)", answer).groups()
    return head + str(stream.choice([int(result) + slip for slip in SLIPS if int(result) + slip >= 0]))


def main():
    for part, count in COUNTS.items():
        stream = Stream(7, f"preferences/{part}")
        lines = (ROOT / f"Data/arithmetic/{part}.jsonl").read_text(encoding="utf-8").splitlines()[:count]
        records = [json.loads(line) for line in lines]
        write_lines(
            ROOT / f"Data/preferences/{part}.jsonl",
            [dict(prompt=r["prompt"], chosen=r["completion"], rejected=wrong(r["completion"], stream)) for r in records])


if __name__ == "__main__":
    main()
