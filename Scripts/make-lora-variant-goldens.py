"""Makes Tests/GraftAdaptersTests/Fixtures/lora-variants.*: what PEFT's variants of LoRA, Uni-LoRA and RandLoRA compute on the tiny Llama of `methods.safetensors`.

    python Scripts/make-lora-variant-goldens.py        (torch, transformers, peft, safetensors)

The layout is that of `make-method-goldens.py`, whose functions it uses: `NAME/tensors/`, `NAME/states`, `NAME/gradients/` and
`NAME/losses`. `intruders` has the numbers of intruder dimensions of the adapter `strong`, by how many vectors are looked at. VeLoRA has losses in training mode besides, `NAME/training`, where alone its gradient differs.
"""

import importlib.util
import json
import tempfile
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, RandLoraConfig, UniLoraConfig, get_peft_model
from peft.tuners.lora.config import BdLoraConfig, KasaConfig, MontecloraConfig, VeloraConfig
from peft.utils import get_peft_model_state_dict
from peft.tuners.lora.intruders import reduce_intruder_dimension
from safetensors.torch import load_file, save_file

spec = importlib.util.spec_from_file_location("methods", Path(__file__).parent / "make-method-goldens.py")
methods = importlib.util.module_from_spec(spec)
spec.loader.exec_module(methods)

VARIANTS = {
    "strong": dict(r=3, lora_alpha=90, target_modules=["q_proj", "v_proj", "up_proj", "down_proj"]),
    "alora": dict(r=3, lora_alpha=4, target_modules=["q_proj", "v_proj", "down_proj"], alora_invocation_tokens=[5, 31]),
    "alora-absent": dict(r=1, target_modules=["q_proj"], alora_invocation_tokens=[5, 30]),
    "bdlora": dict(
        r=4, lora_alpha=6, target_modules=["q_proj", "v_proj", "down_proj"],
        use_bdlora=BdLoraConfig(target_modules_bd_a=["down_proj"], target_modules_bd_b=["q_proj"], nblocks=2, match_strict=False)),
    "kasa": dict(r=3, lora_alpha=4, target_modules=["q_proj", "v_proj", "down_proj"], kasa_config=KasaConfig()),
    "velora": dict(r=3, target_modules=["q_proj", "down_proj"], velora_config=VeloraConfig(num_groups=4)),
    "velora-once": dict(r=2, target_modules=["q_proj"], velora_config=VeloraConfig(num_groups=5, scale=0.5, init_type="batch_average_once")),
    "velora-random": dict(r=2, target_modules=["down_proj"], velora_config=VeloraConfig(num_groups=8, init_type="random")),
    "mica": dict(r=3, target_modules=["q_proj", "v_proj"], init_lora_weights="mica"),
    "orthogonal": dict(r=2, target_modules=["q_proj"], init_lora_weights="orthogonal"),
    "monteclora": dict(r=2, target_modules=["q_proj"], monteclora_config=MontecloraConfig(num_samples=3, buffer_size=2)),
}
UNI = {
    "unilora": dict(r=2, theta_d_length=50, target_modules=["q_proj", "v_proj", "down_proj"]),
    "unilora-kept": dict(r=3, theta_d_length=700, proj_seed=2**33 + 1, save_indices=True, target_modules=["q_proj"]),
}
FROZEN = ("lora_velora_embed", "gaussian_var_prior", "expert_weights", "expert_weights_prior", "std_prior")


def training_losses(model):
    """The losses of a few steps in training mode."""
    optimizer, values = torch.optim.AdamW((p for p in model.parameters() if p.requires_grad), lr=methods.RATE, weight_decay=0.0), []
    ids = torch.tensor([methods.SEQUENCE])
    for _ in range(methods.STEPS):
        loss = torch.nn.functional.cross_entropy(model.train()(input_ids=ids).logits[0][:-1], ids[0][1:])
        values.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return torch.tensor(values)


INTRUDERS = {}


def intruders(model):
    """The number of intruder dimensions of each layer, as PEFT tells them."""
    for top, threshold in ((10, 0.5), (6, 0.7)):
        told = []
        reduce_intruder_dimension(model, new_adapter_name=f"reduced{top}", top_k=top, threshold_epsilon=threshold, logging_sink=told.append)
        counts = [line.rsplit(": ", 2) for line in told if "Intruders" in line] + [[*line.rsplit(": ", 1), "0"] for line in told if "No intruders" in line]
        INTRUDERS[f"{top}"] = {"threshold": threshold, "counts": {row[0].removeprefix("base_model.model."): int(row[-1]) for row in counts}}


def variant(index, name, config):
    model = get_peft_model(methods.base(), config)
    generator = torch.Generator().manual_seed(index)
    with torch.no_grad():
        for parameter in (p for p in model.parameters() if p.requires_grad):
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        adapter = load_file(f"{folder}/adapter_model.safetensors")
        config = json.loads(Path(folder, "adapter_config.json").read_text())
        again = PeftModel.from_pretrained(methods.base(), folder, is_trainable=True)
        states = methods.last_states(again)[0]
        if states.requires_grad:
            methods.weighted_sum(states).backward()
        gradients = {key: parameter.grad for key, parameter in again.named_parameters() if parameter.grad is not None}
        # The vector of all layers is met first in one of them.
        gradients = {"base_model.unilora_theta_d" if "unilora_theta_d" in key else key: value for key, value in gradients.items()}
        tensors = {f"{name}/tensors/{key}": value for key, value in adapter.items()}
        tensors |= {f"{name}/states": states.detach()}
        tensors |= {f"{name}/gradients/{key.replace('.default', '')}": value for key, value in gradients.items() if not key.replace(".default", "").endswith(FROZEN)}
        if name != "alora-absent":
            tensors[f"{name}/losses"] = methods.losses(PeftModel.from_pretrained(methods.base(), folder, is_trainable=True))
        if name.startswith("velora"):
            tensors[f"{name}/training"] = training_losses(PeftModel.from_pretrained(methods.base(), folder, is_trainable=True))
        if name == "strong":
            intruders(again)
    return tensors, {key: sorted(value) if key == "target_modules" else value for key, value in config.items()}


def main():
    tensors, configurations = {}, {}
    configs = {name: LoraConfig(task_type="CAUSAL_LM", **keys) for name, keys in VARIANTS.items()}
    configs |= {name: UniLoraConfig(task_type="CAUSAL_LM", **keys) for name, keys in UNI.items()}
    configs["randlora-drawn"] = RandLoraConfig(
        task_type="CAUSAL_LM", r=5, randlora_alpha=20, save_projection=False, target_modules=["v_proj", "down_proj"])
    for index, (name, config) in enumerate(configs.items()):
        made, configurations[name] = variant(index, name, config)
        tensors |= made
    save_file({key: value.detach().float().contiguous().clone() for key, value in tensors.items()}, methods.FOLDER / "lora-variants.safetensors")
    configurations["intruders"] = INTRUDERS
    (methods.FOLDER / "lora-variants.json").write_text(json.dumps(configurations, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
