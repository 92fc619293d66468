#!/usr/bin/env python3
"""Checks what `graft convert` writes with the libraries that the files are for.

Needs gguf, numpy, torch and safetensors, and a built graft:

    python3 Scripts/check-convert.py --graft .build/release/graft MODEL [MODEL ...]

Each MODEL, a checkpoint directory of a language model, goes to PyTorch (read by `torch.load` with its safe defaults), to GGUF (read by
gguf-py: every tensor, and the tokenizer's keys) and from both back to safetensors, equal to the bit; a state dictionary that torch itself
writes, tied names and all, becomes the same checkpoint. The same `graft score` comes out of all of them.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import gguf
import torch
from safetensors.torch import load_file


def run(graft, *arguments):
    result = subprocess.run([graft, *map(str, arguments)], capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"graft {' '.join(map(str, arguments))}: {result.stderr.strip()}")
    return result.stdout


def safetensors(folder):
    return {name: tensor for file in sorted(folder.glob("*.safetensors")) for name, tensor in load_file(file).items()}


def pickles(folder):
    return {name: tensor for file in sorted(folder.glob("*.bin")) for name, tensor in torch.load(file, weights_only=True).items()}


def require_equal(found, expected, what):
    if set(found) != set(expected):
        sys.exit(f"{what}: {sorted(set(found) ^ set(expected))[:4]} are too many or too few")
    for name, tensor in expected.items():
        same = found[name].dtype == tensor.dtype and found[name].shape == tensor.shape
        if not same or not torch.equal(found[name].contiguous().view(torch.uint8), tensor.contiguous().view(torch.uint8)):
            sys.exit(f"{what}: {name} differs")


def check(graft, model, work):
    expected = safetensors(model)
    text = work / "text.jsonl"
    text.write_text(json.dumps({"text": "Once upon a time there were 12 kittens, naïve ones."}) + "\n")
    scores = run(graft, "score", "--model", model, "--data", text)

    run(graft, "convert", model, "--to", "pytorch", "--output", work / "pytorch")
    require_equal(pickles(work / "pytorch"), expected, "pytorch")
    run(graft, "convert", model, "--to", "gguf", "--output", work / "model.gguf")
    reader = gguf.GGUFReader(work / "model.gguf")
    if sum(int(entry.n_elements) for entry in reader.tensors) < sum(tensor.numel() for tensor in expected.values()):
        sys.exit("gguf: elements are missing")
    whole = json.loads(reader.get_field("tokenizer.huggingface.json").contents())
    if whole != json.loads((model / "tokenizer.json").read_text()):
        sys.exit("gguf: tokenizer.huggingface.json differs")
    run(graft, "convert", work / "pytorch", "--to", "safetensors", "--output", work / "back")
    run(graft, "convert", work / "model.gguf", "--to", "safetensors", "--output", work / "again")
    require_equal(safetensors(work / "back"), expected, "pytorch to safetensors")
    require_equal(safetensors(work / "again"), expected, "gguf to safetensors")

    # As torch itself writes a model whose head is tied.
    tied = work / "tied"
    tied.mkdir()
    state = dict(expected)
    config = json.loads((model / "config.json").read_text())
    if config.get("tie_word_embeddings") and "model.embed_tokens.weight" in state:
        state["lm_head.weight"] = state["model.embed_tokens.weight"]
    torch.save(state, tied / "pytorch_model.bin")
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (tied / name).write_bytes((model / name).read_bytes())
    run(graft, "convert", tied, "--to", "safetensors", "--output", work / "untied")
    require_equal(safetensors(work / "untied"), expected, "torch.save to safetensors")

    for name in ("pytorch", "back", "again", "tied", "untied"):
        if run(graft, "score", "--model", work / name, "--data", text) != scores:
            sys.exit(f"{name}: another score than the model's")
    # The tokenizer by llama.cpp's keys alone.
    reduced = work / "reduced.gguf"
    writer = gguf.GGUFWriter(reduced, reader.get_field("general.architecture").contents())
    for key, field in reader.fields.items():
        if key.startswith("GGUF.") or key in ("general.architecture", "tokenizer.huggingface.json"):
            continue
        kind = field.types[0]
        writer.add_key_value(key, field.contents(), kind, sub_type=field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None)
    for entry in reader.tensors:
        writer.add_tensor(entry.name, entry.data, raw_dtype=entry.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    run(graft, "convert", reduced, "--to", "safetensors", "--output", work / "reduced")
    require_equal(safetensors(work / "reduced"), expected, "reduced gguf to safetensors")
    if run(graft, "score", "--model", work / "reduced", "--data", text) != scores:
        sys.exit("reduced: another score than the model's")
    return f"{len(expected)} tensors, {len(scores.splitlines())} scores"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graft", default=".build/release/graft")
    parser.add_argument("models", nargs="+", type=pathlib.Path)
    arguments = parser.parse_args()
    for model in arguments.models:
        with tempfile.TemporaryDirectory() as work:
            print(f"{model}: {check(arguments.graft, model, pathlib.Path(work))}")


if __name__ == "__main__":
    main()
