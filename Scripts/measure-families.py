#!/usr/bin/env python3
"""Trains LoRA on a tiny model of every family for a few steps and says what it cost, as the table of Documentation/Families.md.

    python3 Scripts/measure-families.py .build/release/graft [--steps 12] [--runs 3] [--only llama,mamba]

Needs nothing but Python 3.9. Models have random weights; every family has the same width, depth and vocabulary, as `families.json` says. Of
several runs the fastest counts, with the memory of that one.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LENGTH, ROWS = 256, 8
FAMILIES = json.loads((ROOT / "Scripts/families.json").read_text())
MASKED = {"bert", "roberta", "distilbert"}
PAIRED = {"bart", "t5", "mt5", "transformer"}


def records(kind):
    """Enough text of known length: words of a pseudo-random order."""
    state, lines = 1, []
    for _ in range(64):
        words = []
        for _ in range(LENGTH):
            state = (1103515245 * state + 12345) % 2**31
            words.append(["one", "two", "three", "four", "red", "green", "blue", "left", "right", "up", "down", "in"][(state >> 16) % 12])
        text = " ".join(words)
        half = " ".join(words[: LENGTH // 2])
        lines.append({"source": half, "target": half} if kind == "seq2seq_lm" else {"text": text})
    return "".join(json.dumps(line) + "\n" for line in lines)


def measure(graft, name, steps):
    task = "masked_lm" if name in MASKED else "seq2seq_lm" if name in PAIRED else "causal_lm"
    tokenizer = {"masked_lm": "Data/tokenizers/wordpiece", "seq2seq_lm": "Data/tokenizers/unigram"}.get(task, "Data/models/seedling")
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder, "data.jsonl")
        data.write_text(records(task))
        length = LENGTH // 2 if task == "seq2seq_lm" else LENGTH
        recipe = {
            "model": {"tokenizer": str(ROOT / tokenizer), "config": {"model_type": name, **FAMILIES[name]}},
            "task": task,
            "method": {"peft_type": "LORA", "r": 8},
            "data": {"train": str(data), "max_length": length, "packing": task == "causal_lm"},
            "training": {"max_steps": steps, "batch_size": ROWS, "logging_steps": steps},
            "report": {"html": False, "tensorboard": False},
        }
        path = Path(folder, "recipe.yaml")
        path.write_text(json.dumps(recipe))
        run = subprocess.run([graft, "train", path, "--output", f"{folder}/run", "--quiet"], capture_output=True, text=True)
        if run.returncode != 0:
            sys.exit(f"{name}: {run.stderr.strip()}")
        return json.loads(Path(folder, "run", "summary.json").read_text())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("graft", nargs="?", default="graft")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    names = [name for name in FAMILIES if not options.only or name in options.only.split(",")]
    print("| `model_type` | parameters | trained | tokens/s | peak memory |")
    print("| --- | --- | --- | --- | --- |")
    for name in names:
        runs = [measure(options.graft, name, options.steps) for _ in range(options.runs)]
        summary = max(runs, key=lambda run: run["tokens_per_second"])
        print(
            f"| `{name}` | {summary['total_parameters'] / 1e6:.2f} M | {summary['trainable_parameters'] / 1e3:.0f} k "
            f"| {summary['tokens_per_second']:,.0f} | {summary['peak_memory_bytes'] / 1e6:.0f} MB |", flush=True)


if __name__ == "__main__":
    main()
