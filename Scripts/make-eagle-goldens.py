#!/usr/bin/env python3
"""Writes Tests/GraftModelsTests/Fixtures/rwkv5.json and rwkv6.json: what RWKV-5 and 6 ("Eagle and Finch") compute with tiny checkpoints.

Transformers does not have them. So they are written out here in float64, for their gradients, and compared with the `rwkv` package, their authors'
own, on every run. The values are made as those of `make-model-goldens.py`. Needs torch and rwkv.

    python Scripts/make-eagle-goldens.py
"""

import json
import os
import pathlib
import tempfile

import torch
from golden_values import value
from torch.nn.functional import cross_entropy, group_norm, layer_norm, silu

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "Tests" / "GraftModelsTests" / "Fixtures"
TEXTS = [{"tokens": [3, 7, 1, 18, 9, 4]}, {"tokens": [11, 2, 11]}, {"tokens": [5, 16, 8, 8, 13, 0, 6, 12]}]
FIXED = {"key": "k", "value": "v", "receptance": "r", "gate": "g"}


def shapes(version, c):
    """The names and shapes of a checkpoint."""
    h, wide, size = c["hidden_size"], c["intermediate_size"], c["head_size"]
    found = {"rwkv.embeddings.weight": (c["vocab_size"], h)}
    for layer in range(c["num_hidden_layers"]):
        block = f"rwkv.blocks.{layer}."
        for norm in ["pre_ln"] * (layer == 0) + ["ln1", "attention.ln_x", "ln2"]:
            found |= {f"{block}{norm}.weight": (h,), f"{block}{norm}.bias": (h,)}
        att, ffn = block + "attention.", block + "feed_forward."
        found |= {f"{att}{part}.weight": (h, h) for part in ("receptance", "key", "value", "gate", "output")}
        found[f"{att}time_faaaa"] = (h // size, size)
        if version == 5:
            found |= {f"{att}time_mix_{part}": (1, 1, h) for part in FIXED} | {f"{att}time_decay": (h // size, size)}
            found |= {f"{ffn}time_mix_{part}": (1, 1, h) for part in ("key", "receptance")}
        else:
            found |= {f"{att}time_maa_{part}": (1, 1, h) for part in "xwkvrg"} | {f"{att}time_decay": (1, 1, h)}
            found |= {f"{att}time_maa_w1": (h, 160), f"{att}time_maa_w2": (5, 32, h), f"{att}time_decay_w1": (h, 64), f"{att}time_decay_w2": (64, h)}
            found |= {f"{ffn}time_maa_{part}": (1, 1, h) for part in "kr"}
        found |= {f"{ffn}key.weight": (wide, h), f"{ffn}value.weight": (h, wide), f"{ffn}receptance.weight": (h, h)}
    return found | {"rwkv.ln_out.weight": (h,), "rwkv.ln_out.bias": (h,), "head.weight": (c["vocab_size"], h)}


def logits(version, c, z, tokens):
    """The models of Peng et al. 2024, section 4."""
    h, size, eps = c["hidden_size"], c["head_size"], c["layer_norm_epsilon"]
    heads = h // size

    def norm(x, name):
        return layer_norm(x, (h,), z[name + ".weight"], z[name + ".bias"], eps)

    def before(x):
        return torch.cat([torch.zeros_like(x[:1]), x[:-1]])

    x = norm(z["rwkv.embeddings.weight"][tokens], "rwkv.blocks.0.pre_ln")
    for layer in range(c["num_hidden_layers"]):
        block = f"rwkv.blocks.{layer}."
        att = {name.removeprefix(block + "attention."): tensor for name, tensor in z.items() if name.startswith(block + "attention.")}
        ffn = {name.removeprefix(block + "feed_forward."): tensor for name, tensor in z.items() if name.startswith(block + "feed_forward.")}
        y = norm(x, block + "ln1")
        step = before(y) - y
        if version == 5:
            xs = {short: y + step * (1 - att[f"time_mix_{part}"].flatten()) for part, short in FIXED.items()}
            decay = att["time_decay"].flatten().expand(len(tokens), h)
        else:
            low = torch.tanh((y + step * att["time_maa_x"].flatten()) @ att["time_maa_w1"]).reshape(len(tokens), 5, -1)
            xs = {
                part: y + step * (att[f"time_maa_{part}"].flatten() + low[:, i] @ att["time_maa_w2"][i]) for i, part in enumerate("wkvrg")}
            decay = att["time_decay"].flatten() + torch.tanh(xs["w"] @ att["time_decay_w1"]) @ att["time_decay_w2"]
        r, k, v = (xs[short] @ att[f"{part}.weight"].T for part, short in (("receptance", "r"), ("key", "k"), ("value", "v")))
        gate = silu(xs["g"] @ att["gate.weight"].T)
        r, k, v, w = (t.reshape(-1, heads, size) for t in (r, k, v, torch.exp(-torch.exp(decay))))
        state, rows = torch.zeros(heads, size, size, dtype=x.dtype), []
        for t in range(len(tokens)):
            own = k[t][:, :, None] @ v[t][:, None]
            rows.append((r[t][:, None] @ (att["time_faaaa"][:, :, None] * own + state)).flatten())
            state = own + w[t][:, :, None] * state
        out = group_norm(torch.stack(rows), heads, att["ln_x.weight"], att["ln_x.bias"], 1e-5 * c["head_size_divisor"] ** 2)
        x = x + (out * gate) @ att["output.weight"].T
        y = norm(x, block + "ln2")
        step = before(y) - y
        if version == 5:
            key, receptance = (y + step * (1 - ffn[f"time_mix_{part}"].flatten()) for part in ("key", "receptance"))
        else:
            key, receptance = (y + step * ffn[f"time_maa_{part}"].flatten() for part in "kr")
        raised = torch.relu(key @ ffn["key.weight"].T) ** 2
        x = x + torch.sigmoid(receptance @ ffn["receptance.weight"].T) * (raised @ ffn["value.weight"].T)
    return norm(x, "rwkv.ln_out") @ z["head.weight"].T


def original(name):
    """The name that the authors' own files have."""
    for old, new in {"rwkv.": "", "embeddings": "emb", "pre_ln": "ln0", "attention.": "att.", "feed_forward.": "ffn."}.items():
        name = name.replace(old, new)
    for part, short in FIXED.items():
        name = name.replace(f"time_mix_{part}", f"time_mix_{short}")
    return name


def check_against_authors(version):
    os.environ.update(RWKV_JIT_ON="0", RWKV_CUDA_ON="0")
    from rwkv.model import RWKV

    c = dict(vocab_size=19, hidden_size=128, head_size=64, head_size_divisor=8, num_hidden_layers=3, intermediate_size=96, layer_norm_epsilon=1e-5)
    z = {}
    for name, shape in shapes(version, c).items():
        z[name] = 0.5 * torch.from_numpy(value(name, shape, 1.0 if name.endswith(".weight") and len(shape) == 1 else 0.0))
    with tempfile.TemporaryDirectory() as folder:
        torch.save({original(name): tensor for name, tensor in z.items()}, f"{folder}/model.pth")
        model = RWKV(model=f"{folder}/model", strategy="cpu fp32", verbose=False)
        for text in TEXTS:
            theirs, _ = model.forward(text["tokens"], None, full_output=True)
            ours = logits(version, c, {name: tensor.double() for name, tensor in z.items()}, text["tokens"])
            assert (theirs - ours).abs().max() < 1e-3 * ours.abs().max(), (theirs - ours).abs().max()


def main():
    for version in (5, 6):
        check_against_authors(version)
        c = dict(
            model_type=f"rwkv{version}", vocab_size=19, hidden_size=12, head_size=4, head_size_divisor=3, num_hidden_layers=2, intermediate_size=10,
            layer_norm_epsilon=1e-3, tie_word_embeddings=False)
        centres = {name: 1.0 if len(shape) == 1 and name.endswith("weight") else 0.0 for name, shape in shapes(version, c).items()}
        z = {
            name: torch.from_numpy(value(name, shape, centres[name])).double().requires_grad_() for name, shape in shapes(version, c).items()}
        total, terms, outputs = 0.0, 0, []
        for text in TEXTS:
            tokens = text["tokens"]
            found, targets = logits(version, c, z, tokens)[:-1], torch.tensor(tokens[1:])
            total = total + cross_entropy(found, targets, reduction="sum")
            terms += len(targets)
            outputs.append([round(x, 7) for x in found.log_softmax(-1)[range(len(targets)), targets].tolist()])
        loss = total / terms
        loss.backward()
        fixture = {
            "task": "causal_lm", "config": c,
            "tensors": {name: {"shape": list(shape), "centre": centres[name]} for name, shape in shapes(version, c).items()}, "examples": TEXTS,
            "outputs": outputs, "loss": loss.item(),
            "gradients": {name: float(f"{tensor.grad.norm().item():.8g}") for name, tensor in z.items()},
        }
        (FOLDER / f"rwkv{version}.json").write_text(json.dumps(fixture, separators=(",", ":")) + "\n")


main()
