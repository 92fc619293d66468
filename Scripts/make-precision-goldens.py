#!/usr/bin/env python3
"""Writes Tests/GraftAdaptersTests/Fixtures/precision.json: what PyTorch's autocast learns with tiny models.

    python Scripts/make-precision-goldens.py        (torch, transformers, peft)

A case holds a configuration, the names and shapes of a checkpoint, examples, and the loss before every step of LoRA and of full training,
for every precision: `fp32`; `bf16` and `fp16`, autocast's (fp16 with GradScaler); `bf16-weights` and `fp16-weights`, float32 arithmetic over
weights of linear layers that are rounded at every use. Values of tensors are not stored: `value` makes them from their names.
"""

import contextlib
import json
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
    "t5": dict(
        task="seq2seq_lm", examples=[dict(e, source=tokens(k + 9, 9 - k)) for k, e in enumerate(TEXTS)], targets=["q", "v", "wo"],
        model=transformers.T5ForConditionalGeneration,
        config=transformers.T5Config(
            **SIZES, d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=4, dropout_rate=0, decoder_start_token_id=0)),
}


class Rounding(torch.nn.Module):
    """A weight rounded at every use, whose gradient is that of the rounded one."""

    def __init__(self, dtype):
        super().__init__()
        self.dtype = dtype

    def forward(self, weight):
        return weight + (weight.to(self.dtype).float() - weight).detach()


def named(model):
    """The parameters without those that stand for others."""
    return {name: parameter for name, parameter in model.named_parameters()}


def fill(name, parameter):
    centre = 1.0 if parameter.dim() == 1 and name.endswith("weight") else 0.0
    with torch.no_grad():
        parameter.copy_(torch.from_numpy(value(name, tuple(parameter.shape), centre)))
    return {"shape": list(parameter.shape), "centre": centre}


def loss(model, case, example):
    """The summed loss of an example, and its terms."""
    ids = torch.tensor([example["tokens"]])
    if case["task"] == "sequence_classification":
        return cross_entropy(model(input_ids=ids).logits.float(), torch.tensor([example["label"]]), reduction="sum"), 1
    if case["task"] == "seq2seq_lm":
        shifted = torch.tensor([[0] + example["tokens"][:-1]])
        logits, targets = model(input_ids=torch.tensor([example["source"]]), decoder_input_ids=shifted).logits[0], ids[0]
    else:
        logits, targets = model(input_ids=ids).logits[0, :-1], ids[0, 1:]
    return cross_entropy(logits.float(), targets, reduction="sum"), len(targets)


def curve(case, method, precision):
    """The loss before every step."""
    torch.manual_seed(0)
    model = case["model"](case["config"]).eval()
    for name, parameter in named(model).items():
        fill(name, parameter)
    if method == "lora":
        # The shapes of factors say nothing of their values: names do.
        model = get_peft_model(model, LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=case["targets"], lora_dropout=0.0)).eval()
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                fill(name.replace(".default", ""), parameter)
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


def written(config):
    plain = type(config)().to_dict()
    drop = ("transformers_version", "_name_or_path")
    return {k: v for k, v in config.to_dict().items() if k not in drop and (k == "model_type" or k not in plain or plain[k] != v)}


def main():
    fixture = {}
    for name, case in CASES.items():
        model = case["model"](case["config"])
        fixture[name] = {
            "task": case["task"], "config": written(case["config"]), "targets": case["targets"], "examples": case["examples"],
            "rank": RANK, "alpha": ALPHA, "rates": RATES,
            "tensors": {key: fill(key, parameter) for key, parameter in named(model).items()},
            "curves": {
                method: {
                    precision: curve(case, method, precision)
                    for precision in ("fp32", "bf16", "fp16", "bf16-weights", "fp16-weights")}
                for method in RATES},
        }
    FILE.write_text(json.dumps(fixture, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
