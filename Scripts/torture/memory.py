#!/usr/bin/env python3
"""Trains for many steps and watches the memory of the process, which must stay where it was once all shapes have been seen.

    GRAFT=.build/release/graft python3 Scripts/torture/memory.py [--steps 10000]
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GRAFT = os.path.abspath(os.environ.get("GRAFT", ROOT / ".build/release/graft"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=10_000)
    steps = parser.parse_args().steps
    if sys.platform != "linux":
        print("memory: needs Linux; nothing was tried")
        return 0
    with tempfile.TemporaryDirectory(prefix="graft-memory-") as name:
        folder = Path(name)
        lines = [{"prompt": "count " * (1 + index % 7), "completion": " on" * (1 + index % 5)} for index in range(64)]
        (folder / "data.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        (folder / "r.yaml").write_text(f"""
model:
  tokenizer: Data/models/seedling
  config: {{model_type: llama, vocab_size: 1024, hidden_size: 32, intermediate_size: 48, num_hidden_layers: 2,
           num_attention_heads: 4, num_key_value_heads: 2, tie_word_embeddings: true, max_position_embeddings: 128}}
method: {{peft_type: FULL}}
data: {{train: {folder}/data.jsonl, eval: {folder}/data.jsonl, packing: false}}
training: {{max_steps: {steps}, batch_size: 4, logging_steps: {max(1, steps // 100)}, eval_steps: {max(1, steps // 10)}, save_steps: {max(1, steps // 10)}}}
""")
        process = subprocess.Popen(
            [GRAFT, "train", folder / "r.yaml", "--output", folder / "out", "--threads", "1"], cwd=ROOT, stderr=subprocess.PIPE, text=True)
        sizes = []
        for line in process.stderr:
            if line.startswith("step "):
                status = Path(f"/proc/{process.pid}/status").read_text()
                resident = [entry for entry in status.splitlines() if entry.startswith("VmRSS:")]
                if resident:
                    sizes.append(int(resident[0].split()[1]))
        if process.wait() != 0:
            print("memory: the training failed")
            return 1
        first, last = sizes[len(sizes) // 4], max(sizes[-5:])
        print(f"memory: {first} kB after {steps // 4} steps, {last} kB after {steps}")
        return 0 if last - first < 4096 else 1


if __name__ == "__main__":
    sys.exit(main())
