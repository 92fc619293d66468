#!/usr/bin/env python3
"""Writes Tests/GraftCheckpointsTests/Fixtures/quantized.json: what published quantized tensors stand for.

Bytes are made from their places, as the tests do; a tensor is kept as a weighted sum of all values and its first ones. Needs torch
and transformers.

    python Scripts/make-quantized-goldens.py
"""

import json
import pathlib

import torch
from transformers.integrations.mxfp4 import _convert_moe_packed_tensors

FILE = pathlib.Path(__file__).resolve().parent.parent / "Tests" / "GraftCheckpointsTests" / "Fixtures" / "quantized.json"


def described(tensor):
    values = tensor.double().flatten()
    weights = ((torch.arange(len(values)) * 37) % 101 - 50).double() / 50
    return {"shape": list(tensor.shape), "sum": float(values @ weights), "first": values[:16].tolist()}


def main():
    blocks = (torch.arange(2 * 3 * 2 * 16) * 37 % 256).to(torch.uint8).reshape(2, 3, 2, 16)
    exponents = (torch.arange(2 * 3 * 2) * 5 % 20 + 120).to(torch.uint8).reshape(2, 3, 2)
    patterns = (torch.arange(130 * 140) * 73 % 251).to(torch.uint8)
    patterns[patterns & 127 == 127] = 0
    factors = torch.tensor([[0.5, 2.0], [0.25, 3.0]]).repeat_interleave(128, 0)[:130].repeat_interleave(128, 1)[:, :140]
    every = torch.arange(256).to(torch.uint8)
    every[every & 127 == 127] = 0
    golden = {
        "experts.down_proj": described(_convert_moe_packed_tensors(blocks, exponents)),
        "q_proj.weight": described(patterns.view(torch.float8_e4m3fn).float().reshape(130, 140) * factors),
        "all.weight": described(every.view(torch.float8_e4m3fn).float().reshape(1, 256)),
    }
    FILE.write_text(json.dumps(golden, indent=1) + "\n")


main()
