#!/usr/bin/env python3
"""Checks that Transformers and bitsandbytes read what `graft quantize` writes, and graft what they write: the same numbers in every matrix,
and the same log-probabilities.

Needs torch, transformers, accelerate and bitsandbytes, and a built graft:

    python3 Scripts/check-bitsandbytes.py --graft .build/release/graft [--model Data/models/seedling]
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import bitsandbytes
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

ROOT = pathlib.Path(__file__).resolve().parent.parent
TEXT = "The log-probability of every token is that of the same weights, whoever reads them."
FORMATS = ("nf4", "fp4", "int8")
LIMIT = 1e-3


def load(path, **options):
    return AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32, **options).eval()


def matrices(model):
    """The numbers of every quantized layer."""
    found = {}
    for name, module in model.named_modules():
        if isinstance(module, bitsandbytes.nn.Linear4bit):
            module.weight.quant_state.dtype = torch.float32
            found[name] = bitsandbytes.functional.dequantize_4bit(module.weight.data, module.weight.quant_state)
        elif isinstance(module, bitsandbytes.nn.Linear8bitLt):
            factors = module.state.SCB if module.state.SCB is not None else module.weight.SCB
            found[name] = bitsandbytes.functional.int8_vectorwise_dequant(module.weight.data, factors)
    return found


def dequantized(model, numbers):
    """The model with ordinary layers of those numbers: on a CPU bitsandbytes rounds activations and factors to 16 or 8 bits."""
    for name, weight in numbers.items():
        layer = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=False)
        layer.weight.data, layer.bias = weight, model.get_submodule(name).bias
        model.set_submodule(name, layer)
    for parameter in model.parameters():
        parameter.data = parameter.data.float()
    return model


def log_probabilities(model, ids):
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits[0].log_softmax(-1)
    return [logits[place, token].item() for place, token in enumerate(ids[1:])]


def scores(graft, model, work):
    data = work / "text.jsonl"
    data.write_text(json.dumps({"text": TEXT}) + "\n")
    result = subprocess.run([graft, "score", "--model", model, "--data", data, "--quiet"], capture_output=True, text=True, check=True)
    found = json.loads(result.stdout)
    return found["tokens"], found["logprobs"][1:]


def compare(format, graft, written, base, work):
    configuration = BitsAndBytesConfig(load_in_8bit=True)
    if format != "int8":
        configuration = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type=format, bnb_4bit_use_double_quant=True)
    ours, theirs = load(written), load(base, quantization_config=configuration)
    own, other = matrices(ours), matrices(theirs)
    problems = [f"{name} is quantized by one of them" for name in own.keys() ^ other.keys()]
    problems += [f"{name} has other numbers" for name in own.keys() & other.keys() if not torch.equal(own[name], other[name])]
    saved = work / f"{format}-saved"
    theirs.save_pretrained(saved)
    AutoTokenizer.from_pretrained(base).save_pretrained(saved)
    ids, found = scores(graft, written, work)
    again = scores(graft, saved, work)[1]
    difference = max(abs(a - b) for a, b in zip(found, log_probabilities(dequantized(ours, own), ids)))
    if not difference < LIMIT:
        problems.append(f"log-probabilities differ by {difference}")
    if found != again:
        problems.append("graft reads what Transformers saved as other numbers")
    print(f"{format}: {len(own)} matrices, log-probabilities differ by at most {difference:.2g}", *problems, sep="\n  ")
    return not problems


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--graft", required=True)
    parser.add_argument("--model", default=str(ROOT / "Data/models/seedling"))
    arguments = parser.parse_args()
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for format in FORMATS:
            work = pathlib.Path(folder)
            written = work / format
            command = [arguments.graft, "quantize", arguments.model, "--format", format, "--output", written, "--quiet"]
            subprocess.run(command, check=True)
            results.append(compare(format, arguments.graft, written, arguments.model, work))
    return 0 if all(results) else 1


sys.exit(main())
