"""Measures graft, and PyTorch with PEFT beside it, and writes Benchmarks/RESULTS.md with its plot: `make benchmark`.

    python3 Benchmarks/benchmark.py [--quick] [--python PYTHON] [--data FILE]

PYTHON is one with torch, transformers and peft; FILE a JSONL file with `prompt` and `completion`, for fine-tuning on real lengths. Both
programs take turns on the same checkpoints, token ids and steps, each measurement in a process of its own; a figure is the median of the
rounds, a ratio the median of the ratios within rounds. What was measured is kept in runs/benchmark/results.json, and `--render` writes the
page from it again. Nothing but the standard library is needed here.
"""

import argparse
import itertools
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import machine
import results
from presets import PRESETS, SPECIAL, checkpoint

ROOT = Path(__file__).resolve().parent.parent
METHODS = ["lora", "lora-all-linear", "prefix", "prompt", "adapter", "ia3", "full"]
PRECISIONS = ["fp32", "bf16"]
# A frozen base can be held in bfloat16, which autocast does not do by itself; PyTorch's best of bf16 is the better of both.
PEER_PRECISIONS = {"fp32": ["fp32"], "bf16": ["bf16", "bf16-weights"]}
SFT_LAYERS = {"llama": "[q_proj, v_proj]", "gpt2": "[c_attn]", "qwen2": "[q_proj, v_proj]"}
SFT_RECIPE = """\
model: {{path: {model}}}
task: causal_lm
method: {{peft_type: LORA, r: 8, lora_alpha: 16, target_modules: {layers}}}
data: {{train: {data}, format: prompt_completion, max_length: 512, packing: false}}
training: {{num_epochs: 1, batch_size: 8, learning_rate: 1.0e-3, lr_scheduler: linear, logging_steps: 10, precision: {precision}, seed: 1}}
report: {{html: false, tensorboard: false}}
output_dir: {output}
"""


class Session:
    """Both programs, the rounds, and what they gave so far."""

    def __init__(self, options):
        self.options = options
        self.folder = ROOT / "runs/benchmark"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.prefix = shlex.split(options.prefix)
        self.rows = json.loads((self.folder / "results.json").read_text())["rows"] if options.resume else []
        self.disagreements = []

    def run(self, command, environment=None):
        """A program's figures, its last line, with the seconds that its process took; or why there are none."""
        start = time.monotonic()
        process = subprocess.run(
            self.prefix + [str(part) for part in command], capture_output=True, text=True, cwd=ROOT, env=os.environ | (environment or {}))
        seconds = time.monotonic() - start
        if process.returncode != 0:
            words = (process.stderr.strip().splitlines() or ["killed"])[-1]
            return {"failure": words[:160]}
        lines = process.stdout.strip().splitlines()
        return (json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {}) | {"process_seconds": seconds}

    def graft(self, *arguments):
        return self.run([self.options.graft, *arguments, "--threads", self.options.threads, "--quiet"])

    def peer(self, *arguments):
        if not self.options.python:
            return None
        preload = {"LD_PRELOAD": self.options.preload} if self.options.preload else {}
        return self.run([self.options.python, ROOT / "Benchmarks/peer.py", *arguments, "--threads", self.options.threads], preload)

    def compare(self, row, ours, theirs):
        """Takes turns, who begins alternating too. `theirs` are variants by name. Programs that did not do the same are not compared."""
        if any(row.items() <= known.items() and set(theirs) <= set(known["peer"]) for known in self.rows):
            return
        print("  ".join(str(value) for value in row.values()), end="", flush=True)
        row = row | {"options": machine.options(self.options), "graft": [], "peer": {name: [] for name in theirs}}
        for index in range(self.options.rounds):
            turns = [("graft", ours)] + list(theirs.items())
            for name, turn in turns if index % 2 == 0 else reversed(turns):
                figures = turn()
                if figures is not None:
                    (row["graft"] if name == "graft" else row["peer"][name]).append(figures)
        print("  " + results.told(row), flush=True)
        if difference := results.disagreement(row):
            self.disagreements.append(difference)
            print(f"  left out: {difference}", flush=True)
        else:
            places = [index for index, known in enumerate(self.rows) if results.case(known) == results.case(row)] or [len(self.rows)]
            self.rows[places[0]:places[0] + 1] = [row]
            self.save()
        time.sleep(self.options.pause)

    def save(self):
        document = {"machine": machine.description(), "rows": self.rows}
        (self.folder / "results.json").write_text(json.dumps(document, indent=1))


def train(session, preset_name, method, precision):
    preset, model = PRESETS[preset_name], checkpoint(preset_name, session.options.models)
    shared = ["--model", model, "--method", method, "--warmup", preset.warmup, "--steps", preset.steps]

    def theirs(variant):
        return lambda: session.peer("train", "--preset", preset_name, "--precision", variant, *shared)

    own = list(shared)
    if preset_name in SPECIAL:
        own[own.index(method)] = lora_file(session, SPECIAL[preset_name])
    session.compare(
        dict(kind="train", preset=preset_name, method=method, precision=precision),
        lambda: session.graft("bench", "--json", "--precision", precision, "--batch-size", preset.batch, "--sequence-length", preset.length, *own),
        {variant: theirs(variant) for variant in PEER_PRECISIONS[precision] if method != "full" or variant != "bf16-weights"})


def lora_file(session, layers):
    """A file with LoRA on layers that are named."""
    path = session.folder / f"lora-{'-'.join(layers)}.yaml"
    path.write_text(f"method: {{peft_type: LORA, r: 8, lora_alpha: 16, target_modules: [{', '.join(layers)}]}}\n")
    return path


def generate(session, preset_name, precision):
    model = checkpoint(preset_name, session.options.models)

    def theirs(variant):
        return lambda: session.peer("generate", "--preset", preset_name, "--precision", variant, "--model", model)

    session.compare(
        dict(kind="generate", preset=preset_name, precision=precision),
        lambda: session.graft("bench", "--json", "--generate", "--precision", precision, "--model", model),
        {variant: theirs(variant) for variant in PEER_PRECISIONS[precision]})


def start_up(session):
    """A whole process with one step, files in the system's cache."""
    preset, model = PRESETS["nano"], checkpoint("nano", session.options.models)
    shared = ["--model", model, "--method", "lora", "--warmup", 0, "--steps", 1]
    session.compare(
        dict(kind="start"),
        lambda: session.graft("bench", "--json", "--no-peak", "--batch-size", preset.batch, "--sequence-length", preset.length, *shared),
        {"fp32": lambda: session.peer("train", "--preset", "nano", *shared)})


def fine_tune(session, model, title, precision):
    """One epoch of `graft train`, and of Transformers' Trainer with PEFT on batches that are padded to their longest example."""
    data = session.folder / "examples.jsonl"
    with open(session.options.data) as file:
        data.write_text("".join(itertools.islice(file, session.options.examples)))
    count = len(data.read_text().splitlines())
    family = json.loads((model / "config.json").read_text())["model_type"]

    def ours():
        with tempfile.TemporaryDirectory() as folder:
            recipe, output = Path(folder) / "recipe.yaml", Path(folder) / "run"
            recipe.write_text(SFT_RECIPE.format(model=model, layers=SFT_LAYERS[family], data=data, precision=precision, output=output))
            figures = session.graft("train", recipe)
            if "failure" in figures:
                return figures
            summary = json.loads((output / "summary.json").read_text())
            line = json.loads((output / "metrics.jsonl").read_text().splitlines()[-1])
            return figures | {
                "samples_per_second": count / line["elapsed_seconds"], "final_loss": summary["final_loss"], "tokens": summary["tokens"],
                "peak_memory_bytes": summary["peak_memory_bytes"]}

    def theirs(variant):
        def run():
            with tempfile.TemporaryDirectory() as folder:
                return session.peer("sft", "--model", model, "--data", data, "--precision", variant, "--output", folder)
        return run

    session.compare(
        dict(kind="sft", model=title, examples=count, precision=precision), ours, {variant: theirs(variant) for variant in PEER_PRECISIONS[precision]})


def model_with_tokenizer(session, preset_name):
    """A preset with the seedling's tokenizer, whose ids are among its own."""
    directory = Path(session.options.models) / f"{preset_name}-seedling"
    if not (directory / "tokenizer.json").exists():
        source, seedling = checkpoint(preset_name, session.options.models), ROOT / "Data/models/seedling"
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "model.safetensors").unlink(missing_ok=True)
        (directory / "model.safetensors").symlink_to((source / "model.safetensors").resolve())
        special = {name: json.loads((seedling / "config.json").read_text())[name] for name in ["bos_token_id", "eos_token_id", "pad_token_id"]}
        (directory / "config.json").write_text(json.dumps(PRESETS[preset_name].config | special))
        for name in ["tokenizer_config.json", "tokenizer.json"]:
            (directory / name).write_bytes((seedling / name).read_bytes())
    return directory


def cases(quick, presets):
    """The steps that are measured: all, or for the quick form what differs most."""
    for preset in presets:
        for method, precision in itertools.product(METHODS, PRECISIONS):
            is_common = method == "lora" or method == "full" and preset != "gpt2"
            if preset in SPECIAL and method != "lora":
                continue
            if not quick or is_common or preset == "nano" and precision == "fp32":
                yield preset, method, precision


def measure(session):
    quick = session.options.quick
    for preset, method, precision in cases(quick, session.options.presets):
        if machine.has_memory_for(PRESETS[preset].parameters(), is_full=method == "full"):
            train(session, preset, method, precision)
        else:
            print(f"train  {preset}  {method}  {precision}  left out: too little memory is free", flush=True)
    for preset, precision in itertools.product(
            [name for name in session.options.presets if name not in SPECIAL and (not quick or name != "tiny")], PRECISIONS):
        generate(session, preset, precision)
    start_up(session)
    if session.options.data:
        models = [(Path(path).resolve(), Path(path).name) for path in session.options.sft_models]
        if not quick and "gpt2" in session.options.presets:
            models.append((model_with_tokenizer(session, "gpt2"), "gpt2"))
        for (model, title), precision in itertools.product(models, PRECISIONS):
            fine_tune(session, model, title, precision)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few minutes: the small shapes, LoRA alone on GPT-2's")
    parser.add_argument("--python", default="", help="a Python with torch, transformers and peft")
    parser.add_argument("--data", default="", help="a JSONL file with prompt and completion")
    parser.add_argument("--examples", type=int, help="lines of it that are used (400, or 100 when quick)")
    parser.add_argument("--sft-models", nargs="+", default=[str(ROOT / "Data/models/seedling")], help="directories with a tokenizer")
    parser.add_argument("--presets", nargs="+", choices=PRESETS)
    parser.add_argument("--rounds", type=int, help="3, or 2 when quick")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--graft", default=str(ROOT / ".build/release/graft"))
    parser.add_argument("--models", default=str(ROOT / ".build/benchmark"), help="where the presets are kept")
    parser.add_argument("--pause", type=float, default=0, help="seconds between two cases, for others who share the machine")
    parser.add_argument("--prefix", default="", help="a command that starts both programs, such as `chrt -r 1`")
    parser.add_argument("--preload", default="", help="a library that is preloaded for PyTorch")
    parser.add_argument("--resume", action="store_true", help="keep what was measured before, and measure the rest")
    parser.add_argument("--render", action="store_true", help="write the page from what was measured last")
    options = parser.parse_args()
    options.presets = options.presets or (["nano", "tiny", "gpt2"] if options.quick else list(PRESETS))
    options.rounds = options.rounds or (2 if options.quick else 3)
    options.examples = options.examples or (100 if options.quick else 400)
    for variable in ["OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"]:
        os.environ.pop(variable, None)
    session = Session(options)
    if not options.render:
        if not Path(options.graft).exists():
            sys.exit(f"error: {options.graft}: not found; run `make build`")
        measure(session)
    document = json.loads((session.folder / "results.json").read_text())
    (ROOT / "Benchmarks/results.svg").write_text(results.plot(document))
    (ROOT / "Benchmarks/RESULTS.md").write_text(results.page(document))
    print("Benchmarks/RESULTS.md")
    if session.disagreements:
        sys.exit("error: the programs did not do the same:\n" + "\n".join(session.disagreements))


if __name__ == "__main__":
    main()
