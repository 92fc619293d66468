"""Makes Tests/GraftSessionsTests/Fixtures/loraplus.*: what PEFT's LoRA+ optimizer does to a tiny Llama's adapters in a few steps.

    python Scripts/make-loraplus-goldens.py        (torch, transformers, peft, safetensors)

`loraplus.safetensors` holds the base's tensors under `base/`, an adapter's at first under `NAME/first/` and at last under
`NAME/last/`; `loraplus.json` holds the configurations, the settings, and the loss before every step.
"""

import json
from pathlib import Path

import torch
from peft import get_peft_config, get_peft_model
from peft.optimizers import create_loraplus_optimizer
from peft.utils import get_peft_model_state_dict
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

FOLDER = Path(__file__).parent.parent / "Tests/GraftSessionsTests/Fixtures"
SEQUENCES = [[3, 11, 5, 9, 8, 2], [1, 4, 13, 0, 12, 7]]
STEPS = 4
SETTINGS = dict(learning_rate=0.01, loraplus_lr_ratio=6.0, loraplus_lr_embedding=0.03, weight_decay=0.5)
METHODS = {
    # Factors of an embedding have a rate of their own; biases are vectors, which do not decay.
    "embedding": dict(r=2, lora_alpha=3, target_modules=["embed_tokens", "q_proj"], bias="lora_only"),
    # DoRA's lengths are vectors, which decay; a saved matrix learns at the usual rate. Saved norms are left out: PEFT decays those of
    # a Llama, since it knows LayerNorm only.
    "dora": dict(r=2, lora_alpha=4, target_modules=["up_proj", "v_proj"], use_dora=True, modules_to_save=["lm_head"]),
}


def base():
    torch.manual_seed(0)
    return LlamaForCausalLM(LlamaConfig(
        vocab_size=16, hidden_size=8, intermediate_size=12, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1, head_dim=4,
        rms_norm_eps=1e-5, initializer_range=0.4, attention_bias=True, tie_word_embeddings=False))


def main():
    FOLDER.mkdir(exist_ok=True)
    tensors = {f"base/{name}": value for name, value in base().state_dict().items()}
    cases = {}
    for name, spec in METHODS.items():
        config = {"peft_type": "LORA", "task_type": "CAUSAL_LM", **spec}
        model = get_peft_model(base(), get_peft_config(config))
        generator = torch.Generator().manual_seed(1)
        with torch.no_grad():
            for parameter in (p for p in model.parameters() if p.requires_grad):
                parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
        optimizer = create_loraplus_optimizer(
            model, torch.optim.AdamW, lr=SETTINGS["learning_rate"], loraplus_lr_ratio=SETTINGS["loraplus_lr_ratio"],
            loraplus_lr_embedding=SETTINGS["loraplus_lr_embedding"], loraplus_weight_decay=SETTINGS["weight_decay"], eps=1e-8)

        def keep(moment):
            for key, value in get_peft_model_state_dict(model, save_embedding_layers=False).items():
                tensors[f"{name}/{moment}/{key}"] = value.detach().clone()

        keep("first")
        losses, ids = [], torch.tensor(SEQUENCES)
        for _ in range(STEPS):
            loss = model(input_ids=ids, labels=ids).loss
            losses.append(loss.item())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        keep("last")
        cases[name] = dict(adapter=config, losses=losses)
    save_file({key: value.contiguous() for key, value in tensors.items()}, FOLDER / "loraplus.safetensors")
    described = dict(sequences=SEQUENCES, settings=SETTINGS, model=base().config.to_diff_dict(), cases=cases)
    described["model"] = {key: value for key, value in described["model"].items() if key not in ("transformers_version", "rope_parameters")}
    (FOLDER / "loraplus.json").write_text(json.dumps(described, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
