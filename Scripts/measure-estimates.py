"""Compares what `graft estimate` predicts with what `graft train` takes, over models, methods, precisions and formats, as a table in Markdown.

    python3 Scripts/measure-estimates.py --graft .build/release/graft                # needs nothing but Python
    python3 Scripts/measure-estimates.py --models gpt2-124m --settings lora full

Models are of random weights, but for the seedling; a directory may be named as well. Memory is the highest resident size (VmHWM), time the median step.
"""
import argparse
import json
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SEEDLING = ROOT / "Data/models/seedling"
MODELS = {
    "seedling": f"path: {SEEDLING}",
    "llama-10m": "config: {model_type: llama, vocab_size: 8192, hidden_size: 256, intermediate_size: 768, num_hidden_layers: 8, "
    "num_attention_heads: 8, num_key_value_heads: 4, max_position_embeddings: 512}",
    "mamba-6m": "config: {model_type: mamba, vocab_size: 4096, hidden_size: 256, state_size: 16, num_hidden_layers: 8}",
    "gpt2-124m": "config: {model_type: gpt2, vocab_size: 50257, n_embd: 768, n_layer: 12, n_head: 12, n_positions: 1024}",
    "qwen-0.5b": "config: {model_type: qwen2, vocab_size: 151936, hidden_size: 896, intermediate_size: 4864, num_hidden_layers: 24, "
    "num_attention_heads: 14, num_key_value_heads: 2, max_position_embeddings: 4096, tie_word_embeddings: true}",
}
LORA = "{peft_type: LORA, r: 16, target_modules: all-linear}"
# The method, what is said of the model, of the data and of the training.
SETTINGS = {
    "lora": (LORA, "", "", ""),
    "lora bf16": (LORA, "", "", "precision: bf16"),
    "lora fp16": (LORA, "", "", "precision: fp16"),
    "lora nf4": (LORA, "quantization: nf4", "", ""),
    "lora int8 bf16": (LORA, "quantization: int8", "", "precision: bf16"),
    "lora recomputed": (LORA, "", "", "gradient_checkpointing: true"),
    "lora packed": (LORA, "", "packing: true", ""),
    "lora accumulated": (LORA, "", "", "gradient_accumulation_steps: 4"),
    "lora evaluated": (LORA, "", "eval_fraction: 0.2", "eval_steps: 3"),
    "ia3": ("{peft_type: IA3}", "", "", ""),
    "prefix": ("{peft_type: PREFIX_TUNING, num_virtual_tokens: 20}", "", "", ""),
    "adapter": ("{peft_type: ADAPTER}", "", "", ""),
    "full": ("{peft_type: FULL}", "", "", ""),
    "full bf16": ("{peft_type: FULL}", "", "", "precision: bf16"),
    "full bf16 states": ("{peft_type: FULL}", "", "", "optimizer_state: bf16"),
}


def recipe(model, setting, data, options):
    method, of_model, of_data, of_training = SETTINGS[setting]
    of_data = of_data or "packing: false"
    if "packing" not in of_data:
        of_data += ", packing: false"
    section = MODELS.get(model, f"path: {model}")
    tokenizer = "" if section.startswith("path") and (Path(section[6:]) / "tokenizer.json").exists() else f", tokenizer: {SEEDLING}"
    return f"""model: {{{section}{tokenizer}{', ' + of_model if of_model else ''}}}
method: {method}
data: {{train: {data}, max_length: {options.length}, {of_data}}}
training: {{max_steps: {options.steps}, batch_size: {options.batch_size}, learning_rate: 1.0e-5, logging_steps: 1{', ' + of_training if of_training else ''}}}
report: {{html: false, tensorboard: false}}
"""


def run(command):
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    if result.returncode:
        raise RuntimeError(result.stderr.strip().splitlines()[-1])
    return json.loads(result.stdout)


def off(predicted, measured):
    return f"{100 * (predicted / measured - 1):+.0f} %"


def row(model, setting, options):
    with tempfile.TemporaryDirectory() as folder:
        # Examples of a quarter of the length to all of it.
        words = "the quick brown fox jumps over the lazy dog and then runs away from it again".split()
        texts = [" ".join(words[(7 * i + 3 * j) % len(words)] for j in range(options.length // 16 + 13 * i % (options.length // 3))) for i in range(200)]
        data = Path(folder) / "data.jsonl"
        data.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
        file = Path(folder) / "r.yaml"
        file.write_text(recipe(model, setting, data, options))
        predicted = run([options.graft, "estimate", str(file), "--json", "--quiet"])
        measured = run([options.graft, "train", str(file), "--output", f"{folder}/run", "--json", "--quiet"])
        lines = [json.loads(line) for line in (Path(folder) / "run/metrics.jsonl").read_text().splitlines()]
    steps = [line for line in lines if "loss" in line]
    # The first step takes memory that later ones find there.
    seconds = sum(b["elapsed_seconds"] - a["elapsed_seconds"] for a, b in zip(steps, steps[1:])) / max(1, len(steps) - 1)
    memory = (predicted["peak_memory_bytes"] / 1e6, measured["peak_memory_bytes"] / 1e6)
    cells = [Path(model).name, setting, f"{memory[0]:.0f}", f"{memory[1]:.0f}", off(*memory),
             f"{predicted['step_seconds']:.3f}", f"{seconds:.3f}", off(predicted["step_seconds"], seconds)]
    print("| " + " | ".join(cells) + " |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["seedling", "llama-10m", "mamba-6m", "gpt2-124m"], help=f"{', '.join(MODELS)}, or directories")
    parser.add_argument("--settings", nargs="+", default=list(SETTINGS), choices=list(SETTINGS), metavar="SETTING")
    parser.add_argument("--graft", default=str(ROOT / ".build/release/graft"))
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--steps", type=int, default=8)
    options = parser.parse_args()
    print("| model | setting | predicted MB | measured MB | off | predicted s a step | measured | off |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for model in options.models:
        for setting in options.settings:
            try:
                row(model, setting, options)
            except RuntimeError as error:
                print(f"| {Path(model).name} | {setting} | {error} | | | | | |", flush=True)


if __name__ == "__main__":
    main()
