"""Makes Tests/GraftAdaptersTests/Fixtures/combinations.* and adalora.*: what PEFT makes of several adapters and of a falling budget.

    python Scripts/make-adapter-goldens.py        (torch, transformers, peft, safetensors)

The base is that of `methods.safetensors`, made by `make-method-goldens.py`. `combinations.safetensors` holds the tensors of two
LoRA adapters under `a/` and `b/`, and those that `add_weighted_adapter` makes of them under the names of its combination types.
PEFT draws for DARE from the generator as it finds it, module after module of the model: here it is seeded before the first, and the
modules come in the order of their names.
`adalora.safetensors` holds an AdaLoRA adapter under `start/`, its losses over the steps as `losses`, all singular values
after every step as `values`, and the adapter that is saved in the end under `end/`.
"""

import json
import tempfile
from pathlib import Path

import torch
from peft import AdaLoraConfig, LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig, LlamaForCausalLM

FOLDER = Path(__file__).parent.parent / "Tests/GraftAdaptersTests/Fixtures"
SEQUENCE = [3, 17, 5, 31, 8, 2, 26]
WEIGHTS = [0.7, -0.4]
STEPS, SEED = 30, 3
COMBINATIONS = {
    "linear": {}, "cat": {}, "svd": {}, "ties": dict(density=0.6), "ties-frequency": dict(density=0.7, majority_sign_method="frequency"),
    "ties_svd": dict(density=0.4), "dare_linear": dict(density=0.55), "dare_ties": dict(density=0.55), "dare_linear_svd": dict(density=0.7),
    "dare_ties_svd": dict(density=0.7), "magnitude_prune": dict(density=0.3), "magnitude_prune_svd": dict(density=0.5),
}


def base():
    config = LlamaConfig(
        vocab_size=40, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=4,
        rms_norm_eps=1e-5, tie_word_embeddings=False)
    model = LlamaForCausalLM(config)
    tensors = load_file(FOLDER / "methods.safetensors")
    model.load_state_dict({key.removeprefix("base/"): value for key, value in tensors.items() if key.startswith("base/")})
    return model


def disturb(model, seed):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in (p for p in model.parameters() if p.requires_grad):
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))


def saved(model, adapter="default"):
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder, selected_adapters=[adapter])
        place = Path(folder) if adapter == "default" else Path(folder, adapter)
        config = json.loads((place / "adapter_config.json").read_text())
        tensors = load_file(place / "adapter_model.safetensors")
    return {key: sorted(value) if isinstance(value, set) else value for key, value in config.items()}, tensors


def write(name, tensors, configurations):
    save_file({key: value.float().contiguous() for key, value in tensors.items()}, FOLDER / f"{name}.safetensors")
    (FOLDER / f"{name}.json").write_text(json.dumps(configurations, indent=1, sort_keys=True) + "\n")


def combinations():
    torch.manual_seed(0)
    specs = {
        "a": LoraConfig(task_type="CAUSAL_LM", r=3, lora_alpha=4, target_modules=["q_proj", "down_proj"], use_rslora=True),
        "b": LoraConfig(task_type="CAUSAL_LM", r=3, lora_alpha=6, target_modules=["q_proj", "v_proj"]),
    }
    model = get_peft_model(base(), specs["a"], adapter_name="a")
    disturb(model, 1)
    model.add_adapter("b", specs["b"])
    model.set_adapter("b")
    disturb(model, 2)
    # The result inherits use_rslora, which would change its scale: combined from the adapter that has it off.
    model.peft_config["a"].use_rslora = False
    inner, inject = model.base_model.model, model.base_model.inject_adapter
    named = inner.named_modules
    model.base_model.inject_adapter = lambda *arguments, **keywords: (inject(*arguments, **keywords), torch.manual_seed(SEED))
    for kind, settings in COMBINATIONS.items():
        rank = 2 if kind.startswith(("svd", "ties_svd", "dare_ties_svd")) else None
        model.base_model.model.named_modules = lambda *arguments, **keywords: sorted(named(*arguments, **keywords), key=lambda entry: entry[0])
        combination = kind.removesuffix("-frequency")
        model.add_weighted_adapter(["a", "b"], WEIGHTS, kind, combination_type=combination, svd_rank=rank, **settings)
        del inner.named_modules
    model.peft_config["a"].use_rslora = True
    tensors, configurations = {}, {}
    for name in ["a", "b", *COMBINATIONS]:
        configurations[name], found = saved(model, name)
        tensors |= {f"{name}/{key}": value for key, value in found.items()}
    write("combinations", tensors, configurations)


def adalora():
    config = AdaLoraConfig(
        task_type="CAUSAL_LM", init_r=4, target_r=2, tinit=3, tfinal=5, deltaT=2, beta1=0.8, beta2=0.9, orth_reg_weight=0.3,
        total_step=STEPS, lora_alpha=6, target_modules=["q_proj", "v_proj", "down_proj"])
    model = get_peft_model(base(), config)
    disturb(model, 5)
    configurations, tensors = {}, {}
    configurations["start"], found = saved(model)
    tensors |= {f"start/{key}": value for key, value in found.items()}
    optimizer = torch.optim.AdamW((p for p in model.parameters() if p.requires_grad), lr=1e-2, weight_decay=0)
    ids = torch.tensor([SEQUENCE])
    losses, values = [], []
    for step in range(1, STEPS + 1):
        loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
        optimizer.step()
        model.base_model.update_and_allocate(step)
        optimizer.zero_grad()
        losses.append(loss.item())
        values.append(torch.cat([p.detach().flatten() for name, p in model.named_parameters() if "lora_E" in name]))
    tensors["losses"], tensors["values"] = torch.tensor(losses), torch.stack(values)
    configurations["end"], found = saved(model)
    tensors |= {f"end/{key}": value for key, value in found.items()}
    write("adalora", tensors, configurations)


if __name__ == "__main__":
    combinations()
    adalora()
