"""Writes what torch's optimizers and Transformers' schedules compute, for Tests/GraftOptimizersTests/Fixtures.

    python3 Scripts/make-optimizer-goldens.py      # needs torch and transformers
"""
import json
from pathlib import Path

import numpy as np
import torch
from transformers import Adafactor, get_scheduler

FIXTURES = Path(__file__).resolve().parent.parent / "Tests/GraftOptimizersTests/Fixtures"
START = [0.5, -1.25, 2.0, 0.0, 3.5]
GRADIENTS = [[0.1, -0.2, 0.3, 0.0, -4.0], [-0.3, 0.25, 0.1, 0.5, 2.0], [0.7, 0.0, -0.1, -0.25, 1.0]]
RATE, DECAY = 0.05, 0.1

OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=RATE, weight_decay=DECAY),
    "momentum": lambda p: torch.optim.SGD(p, lr=RATE, momentum=0.9, weight_decay=DECAY),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=RATE, alpha=0.99, eps=1e-8, weight_decay=DECAY),
    "adam": lambda p: torch.optim.Adam(p, lr=RATE, betas=(0.9, 0.999), eps=1e-8, weight_decay=DECAY),
    "adamw": lambda p: torch.optim.AdamW(p, lr=RATE, betas=(0.9, 0.999), eps=1e-8, weight_decay=DECAY),
}
SHAPES = {"vector": [7], "wide": [3, 5], "tall": [6, 4], "stacked": [2, 3, 4]}
ADAFACTOR = {"scale_parameter": False, "relative_step": False}
SHAPED = {
    "adafactor": (lambda p: Adafactor(p, lr=RATE, weight_decay=DECAY, **ADAFACTOR), ["vector", "wide", "tall", "stacked"]),
    "muon": (lambda p: torch.optim.Muon(p, lr=RATE, weight_decay=DECAY, adjust_lr_fn="match_rms_adamw"), ["wide", "tall"]),
    "muon_original": (lambda p: torch.optim.Muon(p, lr=RATE, weight_decay=DECAY), ["wide", "tall"]),
}
SCHEDULES = {
    "constant": ("constant_with_warmup", {}), "linear": ("linear", {}), "cosine": ("cosine", {}),
    "cosine_with_restarts": ("cosine_with_restarts", {}), "polynomial": ("polynomial", {}), "inverse_sqrt": ("inverse_sqrt", {}),
    "wsd": ("warmup_stable_decay", {"num_decay_steps": 4}),
}


def weights(make):
    parameter = torch.nn.Parameter(torch.tensor(START, dtype=torch.float64))
    optimizer = make([parameter])
    for gradient in GRADIENTS:
        parameter.grad = torch.tensor(gradient, dtype=torch.float64)
        optimizer.step()
    return parameter.tolist()


def lion():
    """Chen et al. 2023, algorithm 2."""
    weights, momentum, (beta1, beta2) = np.array(START), np.zeros(len(START)), (0.9, 0.99)
    for gradient in np.array(GRADIENTS):
        update = beta1 * momentum + (1 - beta1) * gradient
        momentum = beta2 * momentum + (1 - beta2) * gradient
        weights = weights - RATE * (np.sign(update) + DECAY * weights)
    return weights.tolist()


def shaped(name, make, shape):
    """Five steps from random weights; the state after three of them is what a checkpoint would hold."""
    generator = torch.Generator().manual_seed(len(name))
    draw = lambda: torch.randn(SHAPES[shape], generator=generator, dtype=torch.float64)
    start, gradients = draw(), [draw() * scale for scale in (1.0, 0.1, 3.0, 0.5, 2.0)]
    parameter = torch.nn.Parameter(start.clone())
    optimizer = make([parameter])
    flat = lambda tensor: tensor.detach().reshape(-1).tolist()
    for step, gradient in enumerate(gradients):
        parameter.grad = gradient
        optimizer.step()
        if step == 2:
            held = {key: flat(value) for key, value in optimizer.state[parameter].items() if torch.is_tensor(value) and value.dim() > 0}
    return {"rule": name, "shape": SHAPES[shape], "start": flat(start), "gradients": [flat(g) for g in gradients], "state": held,
            "weights": flat(parameter)}


def rates(name, extra, warmup, total):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = get_scheduler(name, optimizer, num_warmup_steps=warmup, num_training_steps=total, scheduler_specific_kwargs=extra)
    out = []
    for _ in range(total):
        out.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    return out


# Muon's iteration runs in bfloat16 there, and in the parameter's own precision here.
torch.Tensor.bfloat16 = lambda tensor: tensor.clone()
FIXTURES.mkdir(parents=True, exist_ok=True)
(FIXTURES / "optimizers.json").write_text(json.dumps({
    "start": START, "gradients": GRADIENTS, "learning_rate": RATE, "weight_decay": DECAY,
    "weights": {name: weights(make) for name, make in OPTIMIZERS.items()} | {"lion": lion()},
    "shaped": [shaped(name, make, shape) for name, (make, shapes) in SHAPED.items() for shape in shapes]}, indent=1) + "\n")
(FIXTURES / "schedules.json").write_text(json.dumps({
    "warmup": 5, "total": 45, "rates": {key: rates(name, extra, 5, 45) for key, (name, extra) in SCHEDULES.items()}}, indent=1) + "\n")
