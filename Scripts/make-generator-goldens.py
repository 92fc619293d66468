#!/usr/bin/env python3
"""Writes what PyTorch's and NumPy's generators draw from a few seeds: Tests/GraftTensorsTests/Fixtures/generators.json.

Needs torch and numpy.

    python Scripts/make-generator-goldens.py
"""

import json
import pathlib

import numpy
import torch


def torch_generator(seed):
    return torch.Generator().manual_seed(seed)


def after_permutation(size, seed):
    generator = torch_generator(seed)
    torch.randperm(size, generator=generator)
    return torch.rand(1, generator=generator).tolist()


def even_choices(count, size, seed):
    """The indices that Uni-LoRA shuffles, in PEFT's order of calls."""
    generator = numpy.random.default_rng(seed)
    values = numpy.repeat(numpy.arange(size), count // size)
    if count % size:
        values = numpy.concatenate([values, generator.choice(size, size=count % size, replace=False)])
    generator.shuffle(values)
    return [values[:12].tolist(), int((values.astype(numpy.int64) * numpy.arange(len(values))).sum() % 1_000_003)]


VALUES = {
    "permutation": [[size, seed, torch.randperm(size, generator=torch_generator(seed))[:12].tolist()] for size, seed in ((10, 777), (3_000_000, 5))],
    "after": [1000, 5, after_permutation(1000, 5)],
    "rand": [2**40 + 9, torch.rand(4, generator=torch_generator(2**40 + 9)).tolist()],
    "uniform": [1, 0.3, torch.empty(700).uniform_(-0.3, 0.3, generator=torch_generator(1)).tolist()[::100]],
    "kaiming": [3, 7, torch.nn.init.kaiming_uniform_(torch.empty(3, 7), generator=torch_generator(3)).flatten().tolist()],
    "normal": [[count, seed, deviation, torch.normal(0, deviation, (count,), generator=torch_generator(seed)).tolist()]
               for count, seed, deviation in ((16, 2, 0.5), (21, 777, 1.0), (5, 3, 0.5))],
    "choices": [[count, size, seed, *even_choices(count, size, seed)]
                for count, size, seed in ((23, 5, 42), (7, 11, 3), (40_000, 15_000, 9), (20_005, 20_000, 2**33 + 1))],
}
folder = pathlib.Path(__file__).resolve().parent.parent / "Tests" / "GraftTensorsTests" / "Fixtures"
(folder / "generators.json").write_text(json.dumps(VALUES) + "\n")
