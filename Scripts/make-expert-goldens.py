#!/usr/bin/env python3
"""Writes Tests/GraftAdaptersTests/Fixtures/expert-adapters.json: what PEFT makes of adapters on experts and routers.

The models are those of `make-model-goldens.py`; values are made from names, those of adapters from their keys. Needs torch,
transformers, peft and safetensors.

    python Scripts/make-expert-goldens.py
"""

import json
import pathlib
import tempfile

import torch
import transformers
from golden_values import value
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import save_file

TESTS = pathlib.Path(__file__).resolve().parent.parent / "Tests"
BOTH = ["mlp.experts.gate_up_proj", "mlp.experts.down_proj"]
CASES = [
    ("mixtral", dict(target_modules=[], target_parameters=BOTH)),
    ("mixtral", dict(target_modules=["q_proj"], target_parameters=["gate.weight", "experts.down_proj"], use_rslora=True)),
    ("qwen3_moe", dict(target_modules=[], target_parameters=["gate_up_proj"], rank_pattern={"experts.gate_up_proj": 3})),
    ("gpt_oss", dict(target_modules=["o_proj"], target_parameters=BOTH)),
    ("gpt_oss", dict(target_modules=[], target_parameters=["down_proj"])),
]


def model(fixture):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder)
        (path / "config.json").write_text(json.dumps(fixture["config"]))
        tensors = {name: torch.from_numpy(value(name, entry["shape"], entry["centre"])) for name, entry in fixture["tensors"].items()}
        save_file(tensors, path / "model.safetensors", metadata={"format": "pt"})
        made = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    made.set_experts_implementation("eager")
    return made.eval()


def outputs(model, examples):
    found = []
    for example in examples:
        tokens = example["tokens"]
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([tokens])).logits[0].log_softmax(-1)
        found += [round(logits[row, token].item(), 6) for row, token in enumerate(tokens[1:])]
    return found


def main():
    entries = []
    for name, settings in CASES:
        fixture = json.loads((TESTS / "GraftModelsTests" / "Fixtures" / f"{name}.json").read_text())
        plain = outputs(model(fixture), fixture["examples"])
        adapted = get_peft_model(model(fixture), LoraConfig(r=2, lora_alpha=4, task_type="CAUSAL_LM", **settings)).eval()
        state = {key: torch.from_numpy(value(key, tuple(tensor.shape), 0.0)) for key, tensor in get_peft_model_state_dict(adapted).items()}
        set_peft_model_state_dict(adapted, state)
        found = outputs(adapted, fixture["examples"])
        assert max(abs(a - b) for a, b in zip(plain, found)) > 0.01, (name, settings)
        entries.append({
            "model": fixture["config"], "tensors": fixture["tensors"], "examples": fixture["examples"],
            "config": dict(settings, peft_type="LORA", r=2, lora_alpha=4),
            "adapter": {key: list(tensor.shape) for key, tensor in state.items()}, "outputs": found,
        })
    file = TESTS / "GraftAdaptersTests" / "Fixtures" / "expert-adapters.json"
    file.write_text("[\n" + ",\n".join(json.dumps(entry, separators=(",", ":")) for entry in entries) + "\n]\n")


main()
