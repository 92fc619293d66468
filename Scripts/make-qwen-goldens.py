#!/usr/bin/env python3
"""Writes Tests/GraftModelsTests/Fixtures/qwen*.json: what Qwen, the first of the name, computes with tiny checkpoints.

Transformers does not have it. What it computes is a Llama with biases whose tensors have other names: so a Llama of Transformers computes it, in
float64, with its weights cut out of those of the layout. Texts that are longer than those of pretraining get a base of rotary positions that
grows with the length, and queries times the logarithm of their position: `qwen-long.json`. The values are made as those of
`make-model-goldens.py`. Needs torch and transformers.

    python Scripts/make-qwen-goldens.py
"""

import json
import math
import pathlib

import torch
import transformers
from golden_values import value
from torch.nn.functional import cross_entropy

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "Tests" / "GraftModelsTests" / "Fixtures"
TEXTS = [{"tokens": [3, 7, 1, 18, 9, 4]}, {"tokens": [11, 2, 11]}, {"tokens": [5, 16, 8, 8, 13, 0, 6, 12]}]
LONG = [
    {"tokens": [3, 7, 1, 18]}, {"tokens": [11, 2, 11, 4, 9]}, {"tokens": [5, 16, 8, 8, 13, 0, 6, 12]},
    {"tokens": [1, 4, 9, 16, 6, 17, 11, 7, 5, 5, 7, 11, 17]},
]


def shapes(c):
    """The names and shapes of a checkpoint."""
    h, middle = c["hidden_size"], c["intermediate_size"] // 2
    found = {"transformer.wte.weight": (c["vocab_size"], h)}
    for layer in range(c["num_hidden_layers"]):
        block = f"transformer.h.{layer}."
        matrices = {"attn.c_attn": (3 * h, h), "attn.c_proj": (h, h), "mlp.w1": (middle, h), "mlp.w2": (middle, h), "mlp.c_proj": (h, middle)}
        found |= {f"{block}ln_1.weight": (h,), f"{block}ln_2.weight": (h,)}
        for name, shape in matrices.items():
            found[f"{block}{name}.weight"] = shape
            if name == "attn.c_attn" or not c["no_bias"]:
                found[f"{block}{name}.bias"] = shape[:1]
    return found | {"transformer.ln_f.weight": (h,), "lm_head.weight": (c["vocab_size"], h)}


def places(name, h):
    """The tensors of a Llama that one of the layout holds, with the rows of each."""
    if "c_attn" in name:
        return [(name.replace("attn.c_attn", f"self_attn.{part}_proj"), slice(i * h, (i + 1) * h)) for i, part in enumerate("qkv")]
    for old, new in {
        "attn.c_proj": "self_attn.o_proj", "w1": "up_proj", "w2": "gate_proj", "mlp.c_proj": "mlp.down_proj", "ln_1": "input_layernorm",
        "ln_2": "post_attention_layernorm", "ln_f": "norm", "wte": "embed_tokens",
    }.items():
        name = name.replace(old, new)
    return [(name, slice(None))]


def renamed(name):
    return name.replace("transformer.h.", "model.layers.").replace("transformer.", "model.")


def llama(c, z, length):
    """A Llama that computes what the layout does with texts of a length, outside training; with those of pretraining where it is 0."""
    h, heads, trained = c["hidden_size"], c["num_attention_heads"], c["seq_length"]
    size = h // heads
    base = c["rotary_emb_base"]
    if length > trained and c["use_dynamic_ntk"]:
        factor = 2 ** math.ceil(math.log2(length / trained) + 1) - 1
        base *= factor ** (size / (size - 2))
    config = transformers.LlamaConfig(
        vocab_size=c["vocab_size"], hidden_size=h, intermediate_size=c["intermediate_size"] // 2, num_hidden_layers=c["num_hidden_layers"],
        num_attention_heads=heads, num_key_value_heads=heads, rms_norm_eps=c["layer_norm_epsilon"], attention_bias=True, mlp_bias=True,
        rope_parameters={"rope_type": "default", "rope_theta": base}, attn_implementation="eager")
    model = transformers.LlamaForCausalLM(config).double().eval()
    own = dict(model.named_parameters())
    with torch.no_grad():
        for tensor in own.values():
            tensor.zero_()
        for name, tensor in z.items():
            for part, rows in places(renamed(name), h):
                own[part].copy_(tensor[rows])
    # The rotary angles are made in float32; they are made again as exactly as the rest.
    model.model.rotary_emb.inv_freq = base ** (-torch.arange(0, size, 2, dtype=torch.float64) / size)
    if c["use_logn_attn"] and length > trained:
        growth = torch.tensor([max(1.0, math.log(position + 1, trained)) for position in range(length)], dtype=torch.float64)
        for layer in model.model.layers:
            # A rotation does not change with a factor before it.
            layer.self_attn.q_proj.register_forward_hook(lambda module, inputs, output: output * growth[None, :, None])
    return model


def fixture(c, texts, isLong):
    centres = {name: 1.0 if len(shape) == 1 and name.endswith("weight") else 0.0 for name, shape in shapes(c).items()}
    z = {name: torch.from_numpy(value(name, shape, centres[name])).double() for name, shape in shapes(c).items()}
    model = llama(c, z, 0)
    total, terms, outputs = 0.0, 0, []
    for text in texts:
        tokens = text["tokens"]
        used = llama(c, z, len(tokens)) if isLong else model
        found, targets = used(input_ids=torch.tensor([tokens])).logits[0, :-1], torch.tensor(tokens[1:])
        total = total + cross_entropy(found, targets, reduction="sum")
        terms += len(targets)
        outputs.append([round(x, 7) for x in found.log_softmax(-1)[range(len(targets)), targets].tolist()])
    found = {
        "task": "causal_lm", "config": c, "tensors": {name: {"shape": list(shape), "centre": centres[name]} for name, shape in shapes(c).items()},
        "examples": texts, "outputs": outputs, "loss": (total / terms).item(),
    }
    if not isLong:
        (total / terms).backward()
        own = dict(model.named_parameters())
        found["gradients"] = {
            name: float(f"{math.sqrt(sum(own[part].grad.square().sum().item() for part, _ in places(renamed(name), c['hidden_size']))):.8g}")
            for name in z
        }
    return found


def main():
    c = dict(
        model_type="qwen", architectures=["QWenLMHeadModel"], vocab_size=19, hidden_size=12, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=20, kv_channels=6, layer_norm_epsilon=1e-5, rotary_emb_base=10000, rotary_pct=1.0, seq_length=32, no_bias=True,
        use_dynamic_ntk=True, use_logn_attn=True, tie_word_embeddings=False)
    cases = {
        "qwen": (c, TEXTS, False), "qwen-biases": ({**c, "no_bias": False}, TEXTS, False), "qwen-long": ({**c, "seq_length": 4}, LONG, True),
        "qwen-long-angles": ({**c, "seq_length": 4, "use_logn_attn": False}, LONG, True),
        "qwen-long-scores": ({**c, "seq_length": 4, "use_dynamic_ntk": False}, LONG, True),
    }
    for name, case in cases.items():
        (FOLDER / f"{name}.json").write_text(json.dumps(fixture(*case), separators=(",", ":")) + "\n")


main()
