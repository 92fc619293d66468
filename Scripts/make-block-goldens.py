#!/usr/bin/env python3
"""Writes what blocks of ggml's formats stand for and what gguf-py makes of elements, and bitsandbytes' and PyTorch's codes of 8 bits:
Tests/GraftTensorsTests/Fixtures/blocks.json; and a checkpoint with layers as GPTQ's and AWQ's programs pack them:
Tests/GraftCheckpointsTests/Fixtures/grouped/model.safetensors.

Elements are made from their places, as the tests do. Needs gguf, torch and bitsandbytes, and the unpacked sources of auto-gptq 0.7.1 and
autoawq 0.2.9, of which one file each is loaded:

    pip download --no-deps --only-binary :all: auto-gptq==0.7.1 && unzip -d gptq auto_gptq*.whl
    pip download --no-deps --no-binary :all: autoawq==0.2.9 && tar xf autoawq*.tar.gz
    python Scripts/make-block-goldens.py gptq/auto_gptq autoawq-0.2.9/awq
"""

import base64
import importlib.util
import json
import pathlib
import sys

import bitsandbytes.functional as functional
import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Type
from safetensors.torch import save_file

TESTS = pathlib.Path(__file__).resolve().parent.parent / "Tests"
FILE = TESTS / "GraftTensorsTests" / "Fixtures" / "blocks.json"
CHECKPOINT = TESTS / "GraftCheckpointsTests" / "Fixtures" / "grouped"
# Where the scales of a block are, in float16.
SCALES = {
    "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "MXFP4": [], "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2],
    "Q5_K": [0, 2], "Q6_K": [208],
}  # fmt: skip


def elements(rows, columns):
    """Small multiples of a power of two, times one of the row's; the second block is zero."""
    count = rows * columns
    values = ((torch.arange(count) * 7919) % 20011 - 10005).float() / 8192
    values = values.reshape(rows, columns) * (1 + torch.arange(rows) % 5).float()[:, None] / 4
    values.view(-1)[64:128] = 0
    return values


def text(array):
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def decoded(name):
    """Two rows of random blocks."""
    length, width = gguf.GGML_QUANT_SIZES[Type[name]]
    random = np.random.default_rng(length + width)
    blocks = random.integers(0, 256, (512 // length, width), dtype=np.uint8)
    for place in SCALES[name]:
        blocks[:, place : place + 2] = random.uniform(-0.1, 0.1, (len(blocks), 1)).astype(np.float16).view(np.uint8)
    if name == "MXFP4":
        blocks[:, 0] = [0, 1, 2, 126, 127, 254] + [120] * (len(blocks) - 6)
    return {"bytes": text(blocks), "elements": text(gguf.quants.dequantize(blocks, Type[name]).astype(np.float32))}


def load(path, name):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def gptq(source, inputs, outputs, length, bits, is_ordered):
    """A layer as auto-gptq packs it, and its output for the unit vectors."""
    module = load(source / "nn_modules" / "qlinear" / "qlinear_cuda.py", "qlinear")
    layer = module.QuantLinear(bits, length, inputs, outputs, bias=False)
    groups = torch.arange(inputs) // length
    if is_ordered:
        groups = groups[torch.from_numpy(np.random.default_rng(5).permutation(inputs))]
    linear = torch.nn.Linear(inputs, outputs, bias=False)
    linear.weight.data = elements(outputs, inputs)
    count = (inputs + length - 1) // length
    scales = 0.02 + (torch.arange(outputs * count) % 7).float().reshape(outputs, count) / 64
    zeros = 1 + (torch.arange(outputs * count) * 5 % (2**bits - 1)).float().reshape(outputs, count)
    layer.pack(linear, scales.half().float(), zeros, groups.int())
    layer.scales = layer.scales.half()
    tensors = {name: getattr(layer, name).clone() for name in ("qweight", "qzeros", "scales")}
    if is_ordered:
        tensors["g_idx"] = groups.int()
    layer.scales, layer.g_idx = layer.scales.float(), groups
    return tensors | {"expected": layer(torch.eye(inputs)).t().contiguous()}


def awq(source, inputs, outputs, length):
    """Random words, and what autoawq reads them as."""
    packing = load(source / "utils" / "packing_utils.py", "packing_utils")
    random = np.random.default_rng(7)
    words = lambda rows: torch.from_numpy(random.integers(-(2**31), 2**31, (rows, outputs // 8)).astype(np.int32))
    tensors = {"qweight": words(inputs), "qzeros": words(inputs // length)}
    tensors["scales"] = (0.01 + (torch.arange(inputs // length * outputs) % 5).float().reshape(-1, outputs) / 128).half()
    expected = packing.dequantize_gemm(tensors["qweight"], tensors["qzeros"], tensors["scales"].float(), 4, length)
    return tensors | {"expected": expected.t().contiguous()}


def main():
    gptq_source, awq_source = (pathlib.Path(path) for path in sys.argv[1:3])
    source = elements(3, 512)
    blockwise = elements(5, 1000)
    codes, state = functional.quantize_blockwise(blockwise, blocksize=4096)
    squares = elements(130, 140)
    scale = 448 / squares[:128, :128].abs().max()
    golden = {
        "decoded": {name: decoded(name) for name in SCALES},
        "encoded": {name: text(gguf.quants.quantize(source.numpy(), Type[name])) for name in ("Q4_0", "Q5_0", "Q8_0", "MXFP4")},
        "blockwise": {"codes": text(codes.numpy()), "factors": text(state.absmax.numpy())},
        "float8": {
            "codes": text((squares[:4, :128] * scale).to(torch.float8_e4m3fn).view(torch.uint8).numpy()),
            "factor": text((1 / scale).reshape(1).numpy()),
        },
    }
    FILE.write_text(json.dumps(golden, indent=1) + "\n")
    layers = {
        "plain": gptq(gptq_source, 64, 32, 32, 4, False),
        "ordered": gptq(gptq_source, 64, 32, 16, 4, True),
        "eight": gptq(gptq_source, 64, 32, 32, 8, False),
        "interleaved": awq(awq_source, 64, 32, 32),
    }
    CHECKPOINT.mkdir(parents=True, exist_ok=True)
    tensors = {f"{layer}.{name}": tensor for layer, parts in layers.items() for name, tensor in parts.items()}
    save_file(tensors, CHECKPOINT / "model.safetensors", metadata={"format": "pt"})


main()
