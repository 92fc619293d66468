#!/usr/bin/env python3
"""Writes matrices as bitsandbytes quantizes them and what it reads back: Tests/GraftTensorsTests/Fixtures/bitsandbytes.json, and as its
layers save them Tests/GraftCheckpointsTests/Fixtures/bitsandbytes/model.safetensors.

Elements are made from their places, as the tests do. Needs torch and bitsandbytes 0.50 on a CPU. Where a row is a multiple of 32
elements and not of a block, its CPU kernel reads other factors than those it wrote: no such shape is here.

    python Scripts/make-bitsandbytes-goldens.py
"""

import base64
import json
import pathlib

import bitsandbytes.functional as functional
import torch
from bitsandbytes.nn import Int8Params, Linear4bit, Linear8bitLt
from safetensors.torch import save_file

TESTS = pathlib.Path(__file__).resolve().parent.parent / "Tests"
CHECKPOINT = TESTS / "GraftCheckpointsTests" / "Fixtures" / "bitsandbytes"
FILE = TESTS / "GraftTensorsTests" / "Fixtures" / "bitsandbytes.json"


def elements(rows, columns):
    """Small multiples of a power of two, times one of the row's; the second block is zero."""
    count = rows * columns
    values = ((torch.arange(count) * 7919) % 20011 - 10005).float() / 8192
    values = values.reshape(rows, columns) * (1 + torch.arange(rows) % 5).float()[:, None] / 4
    values.view(-1)[64:128] = 0
    return values


def halves(rows, columns):
    """Every row has its largest element and half of it, which is half-way between two codes of 8 bits."""
    return (torch.arange(columns) - columns // 2).float()[None] / (columns // 2) * (129 + torch.arange(rows)).float()[:, None] / 512


def text(tensor):
    return base64.b64encode(tensor.contiguous().view(-1).numpy().tobytes()).decode()


def four_bits(kind, rows, columns, is_long):
    codes, state = functional.quantize_4bit(elements(rows, columns), quant_type=kind, compress_statistics=True)
    golden = {
        "format": kind,
        "shape": [rows, columns],
        "factorCodes": text(state.absmax),
        "factors": text(state.state2.absmax),
        "offset": text(state.offset),
    }
    if not is_long:
        golden |= {"codes": text(codes), "decoded": text(functional.dequantize_4bit(codes, state))}
    return golden


def eight_bits(rows, columns, make=elements):
    weight = Int8Params(make(rows, columns), requires_grad=False).to("cpu")
    return {
        "format": "int8",
        "elements": make.__name__,
        "shape": [rows, columns],
        "codes": text(weight.CB),
        "factors": text(weight.SCB),
        "decoded": text(functional.int8_vectorwise_dequant(weight.CB, weight.SCB)),
    }


def write_checkpoint():
    """A layer of each kind, without and with quantized factors, and beside each what its matrix is read as."""
    tensors = {}

    def add(name, layer, read):
        layer.load_state_dict({"weight": elements(7, 100)})
        layer = layer.to("cpu")
        tensors.update({f"{name}.{key}": value.clone() for key, value in layer.state_dict().items()})
        tensors[f"{name}.expected"] = read(layer).contiguous()

    for kind in ("nf4", "fp4"):
        for is_double in (False, True):
            layer = Linear4bit(100, 7, bias=False, compress_statistics=is_double, quant_type=kind)
            name = f"{kind}.{'double' if is_double else 'single'}"
            add(name, layer, lambda layer: functional.dequantize_4bit(layer.weight.data, layer.weight.quant_state))
    add(
        "int8",
        Linear8bitLt(100, 7, bias=False, has_fp16_weights=False),
        lambda layer: functional.int8_vectorwise_dequant(layer.weight.data, layer.weight.SCB),
    )
    CHECKPOINT.mkdir(exist_ok=True)
    save_file(tensors, CHECKPOINT / "model.safetensors")


def main():
    # The order of additions in a mean follows the number of threads.
    torch.set_num_threads(1)
    matrices = [four_bits(kind, *shape, False) for kind in ("nf4", "fp4") for shape in ((3, 64), (7, 100), (33, 63), (16, 192))]
    matrices += [four_bits("nf4", 513, 1024, True), eight_bits(3, 64), eight_bits(7, 100), eight_bits(40, 33, halves)]
    golden = {
        "nf4": text(functional.get_4bit_type("nf4", "cpu")),
        "fp4": text(functional.get_4bit_type("fp4", "cpu")),
        "dynamic": text(functional.create_dynamic_map()),
        "matrices": matrices,
    }
    FILE.write_text(json.dumps(golden, indent=1) + "\n")
    write_checkpoint()


main()
