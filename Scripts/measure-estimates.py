"""Compares what `graft estimate` predicts with what `graft train` takes, over models, methods and precisions, as a table in Markdown.

    python3 Scripts/measure-estimates.py --graft .build/release/graft MODEL...      # needs nothing but Python

A MODEL is a checkpoint directory; one without a tokenizer is given the seedling's. Memory is the highest resident size (VmHWM), time the median step.
"""
import argparse
import json
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
METHODS = {
    "LoRA": "{peft_type: LORA, r: 16, target_modules: all-linear}",
    "IA3": "{peft_type: IA3}",
    "prefix": "{peft_type: PREFIX_TUNING, num_virtual_tokens: 20}",
    "full": "{peft_type: FULL}",
}


def recipe(model, data, method, precision, checkpointing, batch):
    tokenizer = model if (Path(model) / "tokenizer.json").exists() else ROOT / "Data/models/seedling"
    return f"""model: {{path: {model}, tokenizer: {tokenizer}}}
method: {METHODS[method]}
data: {{train: {data}, max_length: 128, packing: false}}
training: {{max_steps: STEPS, batch_size: {batch}, learning_rate: 1.0e-5, logging_steps: 1, precision: {precision},
           gradient_checkpointing: {str(checkpointing).lower()}}}
report: {{html: false, tensorboard: false}}
"""


def run(command):
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    if result.returncode:
        raise SystemExit(f"{' '.join(command)}\n{result.stderr}")
    return json.loads(result.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--graft", default=str(ROOT / ".build/release/graft"))
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--precisions", nargs="+", default=["fp32", "bf16"])
    options = parser.parse_args()
    print("| model | method | precision | recomputation | predicted MB | measured MB | off | predicted s | measured s | off |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for model in options.models:
        for method in options.methods:
            for precision in options.precisions:
                for checkpointing in (False, True) if method == "LoRA" else (False,):
                    row(options, model, method, precision, checkpointing)


def row(options, model, method, precision, checkpointing):
    with tempfile.TemporaryDirectory() as folder:
        # Token ids that every vocabulary has, in examples of 64 to 128.
        data = Path(folder) / "data.jsonl"
        data.write_text("".join(json.dumps({"ids": [(7 * i + 13 * j) % 500 for j in range(64 + 17 * i % 65)]}) + "\n" for i in range(64)))
        file = Path(folder) / "r.yaml"
        file.write_text(recipe(model, data, method, precision, checkpointing, options.batch_size).replace("STEPS", str(options.steps)))
        predicted = run([options.graft, "estimate", str(file), "--json", "--quiet"])
        measured = run([options.graft, "train", str(file), "--output", f"{folder}/run", "--json", "--quiet"])
        lines = [json.loads(line) for line in (Path(folder) / "run/metrics.jsonl").read_text().splitlines()]
    ends = [0.0] + [line["elapsed_seconds"] for line in lines if "loss" in line]
    # The first step takes memory that later ones find there.
    seconds = sorted(after - before for before, after in zip(ends[1:], ends[2:]))
    step = seconds[len(seconds) // 2]
    memory = (predicted["peak_memory_bytes"] / 1e6, measured["peak_memory_bytes"] / 1e6)
    cells = [Path(model).name, method, precision, "yes" if checkpointing else "", f"{memory[0]:.0f}", f"{memory[1]:.0f}",
             f"{100 * (memory[0] / memory[1] - 1):+.0f} %", f"{predicted['step_seconds']:.3f}", f"{step:.3f}",
             f"{100 * (predicted['step_seconds'] / step - 1):+.0f} %"]
    print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
