#!/usr/bin/env python3
"""Writes the activations that Transformers has by name, and their derivatives, for Tests/GraftModelsTests/Fixtures.

    python Scripts/make-activation-goldens.py      # needs torch and transformers
"""
import json
import pathlib

import torch
from transformers.activations import ACT2FN

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "Tests" / "GraftModelsTests" / "Fixtures"
POINTS = [-30.0, -8.0, -5.0, -3.5, -2.75, -1.5, -0.75, -0.125, -0.001, 0.001, 0.125, 0.5, 0.70703125, 0.75, 1.5, 2.75, 3.5, 5.5, 6.5, 8.0, 9.5, 10.5, 21.0, 40.0]

found = {}
for name in ACT2FN:
    activation = ACT2FN[name].double()
    if list(activation.parameters()):
        continue
    x = torch.tensor(POINTS, dtype=torch.float64, requires_grad=True)
    y = activation(x)
    y.sum().backward()
    found[name] = {"values": [float(f"{v:.8g}") for v in y.tolist()], "slopes": [float(f"{v:.8g}") for v in x.grad.tolist()]}
(FIXTURES / "activations.json").write_text(json.dumps({"points": POINTS, "activations": found}, separators=(",", ":")) + "\n")
