#!/usr/bin/env python3
"""Writes Tests/GraftAdaptersTests/Fixtures/precision.json: what PyTorch's autocast learns with tiny models.

    python Scripts/make-precision-goldens.py        (torch, transformers, peft)

A case holds a configuration, the names and shapes of a checkpoint, examples, and the loss before every step of LoRA and of full training,
for every precision: `fp32`; `bf16` and `fp16`, autocast's (fp16 with GradScaler); `bf16-weights` and `fp16-weights`, float32 arithmetic over
weights of linear layers that are rounded at every use. `noise` says how far those in float32 arithmetic are from the same in float64: what the
order of sums may change. Values of tensors are not stored: `value` makes them from their names.
"""

import contextlib
import json
import math
import pathlib

import torch
import transformers
from golden_values import value
from peft import LoraConfig, get_peft_model
from torch.nn.functional import cross_entropy
from torch.nn.utils.parametrize import register_parametrization

FILE = pathlib.Path(__file__).resolve().parent.parent / "Tests/GraftAdaptersTests/Fixtures/precision.json"
TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
STEPS, RATES = 24, {"lora": 1e-2, "full": 3e-3}
RANK, ALPHA = 4, 8
# Noise at most this part of autocast's distance from float32: the distance is then one of precision, not of chance.
CALM = 0.01
TASK_TYPES = {"causal_lm": "CAUSAL_LM", "sequence_classification": "SEQ_CLS", "seq2seq_lm": "SEQ_2_SEQ_LM"}
VOCABULARY = 29
SIZES = dict(vocab_size=VOCABULARY, pad_token_id=VOCABULARY - 1)
OFF = dict(hidden_dropout_prob=0, attention_probs_dropout_prob=0)


def tokens(seed, count):
    return [(seed * 7 + k * k * (seed + 3) + 5 * k) % (VOCABULARY - 1) for k in range(count)]


TEXTS = [{"tokens": tokens(k, 5 + 3 * k)} for k in range(4)]
CASES = {
    "llama": dict(
        task="causal_lm", examples=TEXTS, targets=["q_proj", "v_proj", "down_proj"], model=transformers.LlamaForCausalLM,
        config=transformers.LlamaConfig(
            **SIZES, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
            tie_word_embeddings=False)),
    "bert": dict(
        task="sequence_classification", examples=[dict(e, label=k % 3) for k, e in enumerate(TEXTS)], targets=["query", "value"],
        model=transformers.BertForSequenceClassification,
        config=transformers.BertConfig(
            **SIZES, **OFF, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, max_position_embeddings=20,
            num_labels=3)),
    # T5 does not divide the scores of attention by the root of a head's size: its queries are small instead. With large ones attention is so
    # sharp that float32 does not learn what float64 does.
    "t5": dict(
        task="seq2seq_lm", examples=[dict(e, source=tokens(k + 9, 9 - k)) for k, e in enumerate(TEXTS)], targets=["v", "wo"],
        scales={"Attention.q.weight": 0.25}, model=transformers.T5ForConditionalGeneration,
        config=transformers.T5Config(
            **SIZES, d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=4, dropout_rate=0, decoder_start_token_id=0)),
}


class Rounding(torch.nn.Module):
    """A weight rounded at every use, whose gradient is that of the rounded one."""

    def __init__(self, dtype):
        super().__init__()
        self.dtype = dtype

    def forward(self, weight):
        return weight + (weight.to(self.dtype).to(weight.dtype) - weight).detach()


def named(model):
    """The parameters without those that stand for others."""
    return {name: parameter for name, parameter in model.named_parameters()}


def fill(name, parameter, case):
    centre = 1.0 if parameter.dim() == 1 and name.endswith("weight") else 0.0
    scale = next((scale for end, scale in case.get("scales", {}).items() if name.endswith(end)), 1.0)
    with torch.no_grad():
        parameter.copy_(scale * torch.from_numpy(value(name, tuple(parameter.shape), centre)))
    return {"shape": list(parameter.shape), "centre": centre, "scale": scale}


def summed_loss(logits, targets):
    return cross_entropy(logits.to(torch.promote_types(logits.dtype, torch.float32)), targets, reduction="sum")


def loss(model, case, example):
    """The summed loss of an example, and its terms."""
    ids = torch.tensor([example["tokens"]])
    if case["task"] == "sequence_classification":
        return summed_loss(model(input_ids=ids).logits, torch.tensor([example["label"]])), 1
    if case["task"] == "seq2seq_lm":
        shifted = torch.tensor([[0] + example["tokens"][:-1]])
        logits, targets = model(input_ids=torch.tensor([example["source"]]), decoder_input_ids=shifted).logits[0], ids[0]
    else:
        logits, targets = model(input_ids=ids).logits[0, :-1], ids[0, 1:]
    return summed_loss(logits, targets), len(targets)


def adapted(model, case):
    """A model with LoRA, and with a head that is trained where PEFT trains it."""
    config = LoraConfig(task_type=TASK_TYPES[case["task"]], r=RANK, lora_alpha=ALPHA, target_modules=case["targets"], lora_dropout=0.0)
    model = get_peft_model(model, config).eval()
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            fill(name.replace(".modules_to_save", "").replace(".default", ""), parameter, case)
    return model


def curve(case, method, precision, double=False):
    """The loss before every step; `double` computes in float64 what is computed in float32 otherwise."""
    torch.manual_seed(0)
    model = case["model"](case["config"]).eval()
    for name, parameter in named(model).items():
        fill(name, parameter, case)
    if method == "lora":
        model = adapted(model, case)
    if double:
        model.double()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if precision.endswith("-weights"):
        for module in list(model.modules()):
            if isinstance(module, torch.nn.Linear):
                register_parametrization(module, "weight", Rounding(TYPES[precision[:4]]))
    autocast = torch.autocast("cpu", dtype=TYPES[precision]) if precision in TYPES else contextlib.nullcontext()
    scaler = torch.amp.GradScaler("cpu", enabled=precision == "fp16")
    optimizer = torch.optim.AdamW(trained, lr=RATES[method], weight_decay=0.0)
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        with autocast:
            found = [loss(model, case, example) for example in case["examples"]]
            mean = sum(one for one, _ in found) / sum(terms for _, terms in found)
        losses.append(float(f"{mean.item():.7g}"))
        scaler.scale(mean).backward()
        scaler.step(optimizer)
        scaler.update()
    return losses


def distance(found, expected):
    """The root of the mean squared distance of two curves."""
    return math.sqrt(sum((a - b) ** 2 for a, b in zip(found, expected)) / len(found))


def learned(case, method):
    """The curves of a method, and the noise of those in float32 arithmetic."""
    exact = ("fp32", "bf16-weights", "fp16-weights")
    curves = {precision: curve(case, method, precision) for precision in (*exact, *TYPES)}
    noise = {precision: float(f"{distance(curves[precision], curve(case, method, precision, double=True)):.2g}") for precision in exact}
    for precision in TYPES:
        own = distance(curves[precision], curves["fp32"])
        assert noise["fp32"] < CALM * own, f"{case['task']}, {method}: {noise['fp32']:.1e} of noise hides {precision}'s {own:.1e}"
    return curves, noise


def written(config):
    plain = type(config)().to_dict()
    drop = ("transformers_version", "_name_or_path")
    return {k: v for k, v in config.to_dict().items() if k not in drop and (k == "model_type" or k not in plain or plain[k] != v)}


def main():
    torch.set_num_threads(1)
    fixture = {}
    for name, case in CASES.items():
        model = case["model"](case["config"])
        results = {method: learned(case, method) for method in RATES}
        fixture[name] = {
            "task": case["task"], "config": written(case["config"]), "targets": case["targets"], "examples": case["examples"],
            "rank": RANK, "alpha": ALPHA, "rates": RATES,
            "tensors": {key: fill(key, parameter, case) for key, parameter in named(model).items()},
            "curves": {method: curves for method, (curves, _) in results.items()},
            "noise": {method: noise for method, (_, noise) in results.items()},
        }
    FILE.write_text(json.dumps(fixture, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
