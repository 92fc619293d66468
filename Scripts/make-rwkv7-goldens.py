#!/usr/bin/env python3
"""Writes Tests/GraftModelsTests/Fixtures/rwkv7.json: what RWKV-7 computes with a tiny checkpoint, in the layout of flash-linear-attention.

Neither Transformers nor flash-linear-attention computes it without a graphics processor. So it is written out here in float64, for its gradients,
and compared with the `rwkv` package, its authors' own, on every run. The values are made as those of `make-model-goldens.py`.
Needs torch and rwkv.

    python Scripts/make-rwkv7-goldens.py
"""

import json
import math
import os
import pathlib
import tempfile

import torch
from golden_values import value
from torch.nn.functional import cross_entropy, group_norm, layer_norm, normalize

FILE = pathlib.Path(__file__).resolve().parent.parent / "Tests" / "GraftModelsTests" / "Fixtures" / "rwkv7.json"
TEXTS = [{"tokens": [3, 7, 1, 18, 9, 4]}, {"tokens": [11, 2, 11]}, {"tokens": [5, 16, 8, 8, 13, 0, 6, 12]}]
RANKS = {"w": "decay_low_rank_dim", "a": "a_low_rank_dim", "v": "v_low_rank_dim", "g": "gate_low_rank_dim"}


def shapes(c):
    """The names and shapes of a checkpoint."""
    h, wide = c["hidden_size"], c["intermediate_size"]
    found = {"model.embeddings.weight": (c["vocab_size"], h)}
    for layer in range(c["num_hidden_layers"]):
        block = f"model.layers.{layer}."
        for norm in ["pre_norm"] * (layer == 0) + ["attn_norm", "attn.g_norm", "ffn_norm"]:
            found |= {f"{block}{norm}.weight": (h,), f"{block}{norm}.bias": (h,)}
        found |= {f"{block}attn.x_{part}": (1, 1, h) for part in "rwkvag"}
        found |= {f"{block}attn.{part}": (h,) for part in ("k_k", "k_a")}
        found[f"{block}attn.r_k"] = (h // c["head_dim"], c["head_dim"])
        found |= {f"{block}attn.{part}_proj.weight": (h, h) for part in "rkvo"}
        for part, rank in RANKS.items():
            if part != "v" or layer > 0:
                found |= {f"{block}attn.{part}_lora.lora.0.weight": (c[rank], h), f"{block}attn.{part}_lora.lora.2.weight": (h, c[rank])}
            if part == "w" or part == "a" or part == "v" and layer > 0:
                found[f"{block}attn.{part}_lora.lora.2.bias"] = (h,)
        found |= {f"{block}ffn.x_k": (h,), f"{block}ffn.key.weight": (wide, h), f"{block}ffn.value.weight": (h, wide)}
    return found | {"model.norm.weight": (h,), "model.norm.bias": (h,), "lm_head.weight": (c["vocab_size"], h)}


def logits(c, z, tokens):
    """The model of Peng et al. 2025, section 4."""
    h, size, eps = c["hidden_size"], c["head_dim"], c["norm_eps"]
    heads = h // size

    def norm(x, name):
        return layer_norm(x, (h,), z[name + ".weight"], z[name + ".bias"], eps)

    def shifted(x, mix):
        before = torch.cat([torch.zeros_like(x[:1]), x[:-1]])
        return x + (before - x) * mix.flatten()

    first = None
    x = norm(z["model.embeddings.weight"][tokens], "model.layers.0.pre_norm")
    for layer in range(c["num_hidden_layers"]):
        block = f"model.layers.{layer}."
        att = {name.removeprefix(block + "attn."): tensor for name, tensor in z.items() if name.startswith(block + "attn.")}

        def lora(part, y, activation=lambda y: y):
            inner = activation(y @ att[f"{part}_lora.lora.0.weight"].T) @ att[f"{part}_lora.lora.2.weight"].T
            return inner + att.get(f"{part}_lora.lora.2.bias", 0)

        y = norm(x, block + "attn_norm")
        xs = {part: shifted(y, att[f"x_{part}"]) for part in "rwkvag"}
        r, k, v = (xs[part] @ att[f"{part}_proj.weight"].T for part in "rkv")
        w = torch.exp(-math.exp(-0.5) * torch.sigmoid(lora("w", xs["w"], torch.tanh)))
        a, g = torch.sigmoid(lora("a", xs["a"])), lora("g", xs["g"], torch.sigmoid)
        if first is None:
            first = v
        else:
            v = v + (first - v) * torch.sigmoid(lora("v", xs["v"]))
        kk = normalize((k * att["k_k"]).reshape(-1, heads, size), dim=-1)
        k = k * (1 + (a - 1) * att["k_a"])
        r, w, k, v, a = (t.reshape(-1, heads, size) for t in (r, w, k, v, a))
        state, rows = torch.zeros(heads, size, size, dtype=x.dtype), []
        for t in range(len(tokens)):
            removed = (state @ -kk[t][:, :, None]) @ (kk[t] * a[t])[:, None]
            state = state * w[t][:, None] + removed + v[t][:, :, None] @ k[t][:, None]
            rows.append((state @ r[t][:, :, None]).flatten())
        out = group_norm(torch.stack(rows), heads, att["g_norm.weight"], att["g_norm.bias"], size * eps)
        out = out + ((r * k * att["r_k"]).sum(-1, keepdim=True) * v).reshape(-1, h)
        x = x + (out * g) @ att["o_proj.weight"].T
        y = shifted(norm(x, block + "ffn_norm"), z[block + "ffn.x_k"])
        x = x + torch.relu(y @ z[block + "ffn.key.weight"].T) ** 2 @ z[block + "ffn.value.weight"].T
    return norm(x, "model.norm") @ z["lm_head.weight"].T


def original(name, tensor):
    """A tensor as the authors' own files call and shape it."""
    for old, new in {
        "model.embeddings": "emb", "model.layers": "blocks", "model.norm": "ln_out", "lm_head": "head", "pre_norm": "ln0", "attn_norm": "ln1",
        "ffn_norm": "ln2", "attn.g_norm": "att.ln_x", "r_proj": "receptance", "k_proj": "key", "v_proj": "value", "o_proj": "output",
        "attn.": "att.",
    }.items():
        name = name.replace(old, new)
    head, _, end = name.partition("_lora.lora.")
    if end:
        name = head + {"0.weight": "1", "2.weight": "2", "2.bias": "0"}[end]
        tensor = tensor.T.contiguous() if end != "2.bias" else tensor
    return name, tensor


def check_against_authors():
    """The same logits as those of the `rwkv` package, whose norms have the epsilons of heads of 64 channels."""
    os.environ.update(RWKV_V7_ON="1", RWKV_JIT_ON="0", RWKV_CUDA_ON="0")
    from rwkv.model import RWKV

    c = dict(vocab_size=19, hidden_size=128, head_dim=64, num_hidden_layers=3, intermediate_size=96, norm_eps=1e-5, **{r: 8 for r in RANKS.values()})
    z = {name: 0.5 * torch.from_numpy(value(name, shape, 1.0 if name.endswith("norm.weight") else 0.0)) for name, shape in shapes(c).items()}
    with tempfile.TemporaryDirectory() as folder:
        torch.save(dict(original(*item) for item in z.items()), f"{folder}/model.pth")
        model = RWKV(model=f"{folder}/model", strategy="cpu fp32")
        for text in TEXTS:
            theirs, _ = model.forward(text["tokens"], None, full_output=True)
            ours = logits(c, {name: tensor.double() for name, tensor in z.items()}, text["tokens"])
            assert (theirs - ours).abs().max() < 1e-3 * ours.abs().max(), (theirs - ours).abs().max()


def main():
    check_against_authors()
    c = dict(
        model_type="rwkv7", vocab_size=19, hidden_size=12, head_dim=4, num_hidden_layers=3, intermediate_size=10, norm_eps=1e-3,
        decay_low_rank_dim=3, a_low_rank_dim=5, v_low_rank_dim=2, gate_low_rank_dim=4, hidden_act="sqrelu", tie_word_embeddings=False)
    centres = {name: 1.0 if len(shape) == 1 and name.endswith("weight") else 0.0 for name, shape in shapes(c).items()}
    z = {
        name: torch.from_numpy(value(name, shape, centres[name])).double().requires_grad_() for name, shape in shapes(c).items()}
    total, terms, outputs = 0.0, 0, []
    for text in TEXTS:
        tokens = text["tokens"]
        found, targets = logits(c, z, tokens)[:-1], torch.tensor(tokens[1:])
        total = total + cross_entropy(found, targets, reduction="sum")
        terms += len(targets)
        outputs.append([round(x, 7) for x in found.log_softmax(-1)[range(len(targets)), targets].tolist()])
    loss = total / terms
    loss.backward()
    fixture = {
        "task": "causal_lm", "config": c,
        "tensors": {name: {"shape": list(shape), "centre": centres[name]} for name, shape in shapes(c).items()}, "examples": TEXTS,
        "outputs": outputs, "loss": loss.item(), "gradients": {name: float(f"{tensor.grad.norm().item():.8g}") for name, tensor in z.items()},
    }
    FILE.write_text(json.dumps(fixture, separators=(",", ":")) + "\n")


main()
