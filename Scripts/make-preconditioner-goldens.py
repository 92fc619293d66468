"""Makes Tests/GraftSessionsTests/Fixtures/preconditioners.*: what PEFT's Riemannian and LoRA-FA optimizers do to a tiny Llama's adapters.

    python Scripts/make-preconditioner-goldens.py        (torch, transformers, peft, safetensors)

The base is that of `loraplus.safetensors`. An adapter's tensors stand under `NAME/first/` and `NAME/last/`; `preconditioners.json` holds
the configurations, the settings, and the loss before every step. LoRA-FA multiplies in bfloat16 where a processor has it, which is
switched off here, and has its epsilon beside an uncorrected moment, so that it is made next to nothing.
"""

import importlib.util
import json
from pathlib import Path

import torch
from peft import get_peft_config, get_peft_model
from peft.optimizers import create_lorafa_optimizer, create_riemannian_optimizer, lorafa
from peft.utils import get_peft_model_state_dict
from safetensors.torch import save_file

spec = importlib.util.spec_from_file_location("loraplus", Path(__file__).parent / "make-loraplus-goldens.py")
loraplus = importlib.util.module_from_spec(spec)
spec.loader.exec_module(loraplus)
lorafa.is_bf16_available = lambda: False

STEPS, RATE = 5, 0.01
ADAPTER = dict(
    peft_type="LORA", task_type="CAUSAL_LM", r=3, lora_alpha=4, target_modules=["embed_tokens", "q_proj", "down_proj"], rank_pattern={"q_proj": 2})
CASES = {
    "riemannian": dict(preconditioner="riemannian", preconditioner_damping=0.05, learning_rate=RATE, epsilon=1e-8),
    "riemannian-sgd": dict(preconditioner="riemannian", learning_rate=RATE, optimizer="sgd"),
    "lora_fa": dict(preconditioner="lora_fa", learning_rate=RATE, epsilon=1e-12),
}


def optimizer(model, settings):
    if settings["preconditioner"] == "lora_fa":
        made = create_lorafa_optimizer(model, r=ADAPTER["r"], lora_alpha=ADAPTER["lora_alpha"], lr=RATE)
        made.param_groups[0]["eps"] = settings["epsilon"]
        return made
    damping = settings.get("preconditioner_damping", 0.01)
    if settings.get("optimizer") == "sgd":
        return create_riemannian_optimizer(model, torch.optim.SGD, lr=RATE, reg=damping)
    return create_riemannian_optimizer(model, torch.optim.AdamW, lr=RATE, reg=damping, eps=settings["epsilon"], weight_decay=0.0)


def main():
    tensors, cases = {}, {}
    for name, settings in CASES.items():
        # LoRA-FA pairs factors by their order, which those of an embedding are not meant for.
        adapter = {**ADAPTER, "target_modules": ADAPTER["target_modules"][name == "lora_fa":]}
        model = get_peft_model(loraplus.base(), get_peft_config(dict(adapter)))
        generator = torch.Generator().manual_seed(1)
        with torch.no_grad():
            for parameter in (p for p in model.parameters() if p.requires_grad):
                parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
        steps = optimizer(model, settings)

        def keep(moment):
            for key, value in get_peft_model_state_dict(model, save_embedding_layers=False).items():
                tensors[f"{name}/{moment}/{key}"] = value.detach().clone().contiguous()

        keep("first")
        losses, ids = [], torch.tensor(loraplus.SEQUENCES)
        for _ in range(STEPS):
            loss = model(input_ids=ids, labels=ids).loss
            losses.append(loss.item())
            model.zero_grad()
            loss.backward()
            steps.step()
        keep("last")
        cases[name] = dict(adapter=adapter, losses=losses, settings=settings)
    save_file(tensors, loraplus.FOLDER / "preconditioners.safetensors")
    (loraplus.FOLDER / "preconditioners.json").write_text(json.dumps(cases, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
