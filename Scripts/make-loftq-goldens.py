#!/usr/bin/env python3
"""Writes what LoftQ starts from: Tests/GraftAdaptersTests/Fixtures/loftq.json.

PEFT's rounds (`peft.utils.loftq_utils.loftq_init`), which need a GPU there, with bitsandbytes' quantization on the CPU and decompositions
in float64: the product of the factors and the quantized matrix, of weights that are made from their names alone. Factors are double as
free as their product, which is compared. Codes of 4 bits have factors that are quantized again, as graft's bases have.

Needs numpy, torch and bitsandbytes 0.50:

    python Scripts/make-loftq-goldens.py
"""

import json
import pathlib

import bitsandbytes.functional as functional
import numpy
import torch

from golden_values import value

FILE = pathlib.Path(__file__).resolve().parent.parent / "Tests/GraftAdaptersTests/Fixtures/loftq.json"


def quantized(matrix, kind):
    weight = torch.from_numpy(matrix.astype(numpy.float32))
    if kind == "int8":
        codes, scales, _ = functional.int8_vectorwise_quant(weight.half())
        return (codes.double() * scales.double()[:, None] / 127).numpy()
    codes, state = functional.quantize_4bit(weight, quant_type=kind, compress_statistics=True)
    return functional.dequantize_4bit(codes, state).double().numpy()


def start(weight, kind, rank, rounds):
    rest = weight
    for number in range(rounds):
        base = quantized(rest, kind)
        u, s, v = numpy.linalg.svd(weight - base, full_matrices=False)
        product = (u[:, :rank] * s[:rank]) @ v[:rank]
        rest = weight - product
    return base, product, s


def main():
    cases = []
    for kind, rank, rounds in [("nf4", 3, 1), ("nf4", 3, 4), ("fp4", 2, 2), ("int8", 4, 2)]:
        name = f"loftq-{kind}-{rounds}"
        weight = value(name, (8, 64), 0).astype(numpy.float64)
        base, product, s = start(weight, kind, rank, rounds)
        error = lambda rest: round(float(numpy.linalg.norm(weight - rest)), 6)
        cases.append({
            "name": name, "format": kind, "rank": rank, "iterations": rounds, "singularValues": [round(float(x), 7) for x in s[:rank]],
            "lost": error(base), "left": error(base + product), "base": [round(float(x), 6) for x in base.reshape(-1)],
            "product": [round(float(x), 7) for x in product.reshape(-1)],
        })
        print(name, cases[-1]["lost"], cases[-1]["left"], s[:rank + 2])
    FILE.write_text(json.dumps(cases, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
