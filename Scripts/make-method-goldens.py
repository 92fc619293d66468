"""Makes Tests/GraftAdaptersTests/Fixtures: what PEFT's methods compute on a tiny Llama with random weights.

    python Scripts/make-method-goldens.py        (torch, transformers, peft, safetensors)

`methods.safetensors` holds the base's tensors under `base/`, an adapter's under `NAME/tensors/`, the final hidden states of one
sequence with it as `NAME/states`, and the gradients of their sum, element k weighted by sin k, as `NAME/gradients/`;
`methods.json` holds the configurations, `NAME/losses` of some the losses of a few steps of AdamW. Adapters that a network makes have its tensors, too, and those that a few steps of AdamW
leave as `NAME/last/`, with the loss before every step as `NAME/losses`.
"""

import json
import tempfile
from pathlib import Path

import torch
from peft import PeftModel, get_peft_config, get_peft_model
from peft.tuners import c3a
from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig, LlamaForCausalLM

# The gradient that PEFT gives to the input of C3A is another function's (the kernel is read in the wrong direction); that of its forward pass:
c3a.layer.BlockCircularConvolution.apply = staticmethod(
    lambda x, w: torch.fft.fft(torch.einsum("...nb,mnb->...mb", torch.fft.ifft(x.unflatten(-1, w.shape[1:])), torch.fft.fft(w))).real.flatten(-2))
FOLDER = Path(__file__).parent.parent / "Tests/GraftAdaptersTests/Fixtures"
SEQUENCE = [3, 17, 5, 31, 8, 2, 26]
PROMPTS = {"PROMPT_TUNING", "P_TUNING", "PREFIX_TUNING", "MULTITASK_PROMPT_TUNING", "CARTRIDGE"}
METHODS = {
    "lora": dict(peft_type="LORA", r=3, lora_alpha=4, target_modules=["q_proj", "down_proj"], use_rslora=True, lora_bias=True),
    "lora-embedding": dict(peft_type="LORA", r=2, lora_alpha=3, target_modules=["embed_tokens", "v_proj"]),
    "dora": dict(peft_type="LORA", r=2, lora_alpha=4, target_modules=["q_proj", "up_proj"], use_dora=True),
    "pissa": dict(peft_type="LORA", r=2, lora_alpha=3, target_modules=["k_proj"], init_lora_weights="pissa"),
    "olora": dict(peft_type="LORA", r=2, lora_alpha=3, target_modules=["k_proj"], init_lora_weights="olora"),
    "ia3": dict(peft_type="IA3"),
    "vera": dict(peft_type="VERA", r=4, target_modules=["q_proj", "v_proj"]),
    "loha": dict(peft_type="LOHA", r=2, alpha=3, target_modules=["q_proj", "v_proj"]),
    "lokr": dict(peft_type="LOKR", r=1, alpha=2, target_modules=["q_proj", "up_proj"], decompose_both=True),
    "adalora": dict(peft_type="ADALORA", init_r=3, target_r=2, total_step=10, target_modules=["v_proj"]),
    "oft": dict(peft_type="OFT", oft_block_size=4, target_modules=["q_proj", "down_proj"]),
    "oft-exact": dict(peft_type="OFT", oft_block_size=4, target_modules=["v_proj"], use_cayley_neumann=False, block_share=True),
    "norms": dict(peft_type="LN_TUNING"),
    "tokens": dict(peft_type="TRAINABLE_TOKENS", token_indices=[17, 3, 22]),
    "adaption": dict(peft_type="ADAPTION_PROMPT", adapter_len=3, adapter_layers=2),
    "prompt": dict(peft_type="PROMPT_TUNING", num_virtual_tokens=3),
    "prefix": dict(peft_type="PREFIX_TUNING", num_virtual_tokens=3),
    "lora-tokens": dict(peft_type="LORA", r=2, lora_alpha=3, target_modules=["q_proj"], trainable_token_indices=[17, 3]),
    "vblora": dict(peft_type="VBLORA", r=2, num_vectors=6, vector_length=4, topk=3, target_modules=["q_proj", "down_proj"]),
    "vblora-topk": dict(peft_type="VBLORA", r=2, num_vectors=6, vector_length=4, target_modules=["q_proj", "v_proj"], save_only_topk_weights=True),
    "multitask-prompt": dict(peft_type="MULTITASK_PROMPT_TUNING", num_virtual_tokens=3, num_ranks=2),
    "cartridge": dict(peft_type="CARTRIDGE", num_virtual_tokens=4, num_frozen_tokens=0),
    "vera-drawn": dict(peft_type="VERA", r=4, save_projection=False, target_modules=["q_proj", "down_proj"]),
    "boft": dict(peft_type="BOFT", boft_block_size=4, target_modules=["q_proj", "down_proj"]),
    "hra": dict(peft_type="HRA", r=4, target_modules=["q_proj", "down_proj"]),
    "hra-orthogonal": dict(peft_type="HRA", r=3, apply_GS=True, target_modules=["q_proj"]),
    "miss": dict(peft_type="MISS", r=5, target_modules=["q_proj", "down_proj"]),
    "miss-bat": dict(peft_type="MISS", r=4, init_weights="bat", target_modules=["v_proj", "down_proj"]),
    "miss-mini": dict(peft_type="MISS", r=4, mini_r=4, init_weights="mini", target_modules=["q_proj"]),
    "shira": dict(peft_type="SHIRA", r=2, random_seed=5, target_modules=["q_proj", "down_proj"]),
    "supertuning": dict(peft_type="SUPERTUNING", sparsity=0.9, r=2, lora_alpha=3, target_modules=["q_proj", "v_proj"]),
    "supertuning-found": dict(peft_type="SUPERTUNING", sparsity=0.9, save_precomputed_indices=False, target_modules=["down_proj"]),
    "fourierft": dict(peft_type="FOURIERFT", n_frequency=19, target_modules=["q_proj", "down_proj"]),
    "waveft": dict(peft_type="WAVEFT", n_frequency=19, target_modules=["q_proj", "down_proj"]),
    "waveft-db3": dict(peft_type="WAVEFT", n_frequency=7, wavelet_family="db3", proportional_parameters=True, target_modules=["v_proj", "down_proj"]),
    "waveft-direct": dict(peft_type="WAVEFT", n_frequency=19, use_idwt=False, target_modules=["v_proj"]),
    "c3a": dict(peft_type="C3A", block_size=8, target_modules=["v_proj", "down_proj"]),
    "randlora": dict(peft_type="RANDLORA", r=5, randlora_alpha=20, target_modules=["v_proj", "down_proj"]),
    "randlora-sparse": dict(peft_type="RANDLORA", r=4, randlora_alpha=20, save_projection=False, sparse=True, target_modules=["q_proj"]),
    "pvera": dict(peft_type="PVERA", r=4, target_modules=["q_proj", "v_proj"]),
    "pvera-drawn": dict(peft_type="PVERA", r=4, save_projection=False, target_modules=["q_proj", "down_proj"]),
    "tinylora": dict(peft_type="TINYLORA", r=3, u=5, weight_tying=0.5, target_modules=["q_proj", "down_proj"]),
    "tinylora-drawn": dict(peft_type="TINYLORA", r=2, u=7, save_projection=False, target_modules=["q_proj"]),
    "gralora": dict(peft_type="GRALORA", r=4, hybrid_r=2, alpha=6, target_modules=["q_proj", "down_proj"]),
    "hira": dict(peft_type="HIRA", r=3, target_modules=["q_proj", "down_proj"]),
    "delora": dict(peft_type="DELORA", r=3, target_modules=["q_proj", "down_proj"]),
    "glora": dict(peft_type="GLORA", r=2, target_modules=["q_proj", "v_proj"]),
    "glora-vector": dict(peft_type="GLORA", config_A_B="vector", target_modules=["q_proj"]),
    "glora-constant": dict(peft_type="GLORA", config_A_B="constant", target_modules=["q_proj"]),
    "road": dict(peft_type="ROAD", group_size=8, target_modules=["q_proj", "v_proj"]),
    "road-2": dict(peft_type="ROAD", group_size=4, variant="road_2", target_modules=["q_proj"]),
    "road-4": dict(peft_type="ROAD", group_size=4, variant="road_4", target_modules=["q_proj"]),
    "deft": dict(peft_type="DEFT", r=3, alpha=2, target_modules=["q_proj", "down_proj"]),
    "deft-qr": dict(peft_type="DEFT", r=3, decomposition_method="qr", target_modules=["q_proj", "down_proj"]),
    "deft-taken": dict(peft_type="DEFT", r=3, para=True, target_modules=["q_proj"]),
    "peanut": dict(peft_type="PEANUT", r=4, depth=2, act_fn="gelu", target_modules=["q_proj", "down_proj"]),
    "lily": dict(peft_type="LILY", r=3, stride_A=2, num_B=3, target_modules=["q_proj", "down_proj"]),
    "beft": dict(peft_type="BEFT", target_modules=["q_proj", "v_proj"]),
}
NETWORKS = {
    "p-tuning": dict(peft_type="P_TUNING", num_virtual_tokens=3, encoder_hidden_size=6),
    "p-tuning-lstm": dict(
        peft_type="P_TUNING", num_virtual_tokens=4, encoder_hidden_size=5, encoder_reparameterization_type="LSTM", encoder_num_layers=2),
}
STEPS, RATE = 5, 0.02
LEARNING = list(METHODS)[list(METHODS).index("vera-drawn"):]


def base():
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=40, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=4,
        rms_norm_eps=1e-5, initializer_range=0.3, tie_word_embeddings=False)
    return LlamaForCausalLM(config)


def last_states(model):
    """The final hidden states of the sequence, without those of virtual tokens."""
    captured = []
    hook = model.get_base_model().model.norm.register_forward_hook(lambda *arguments: captured.append(arguments[2]))
    task = {"task_ids": torch.tensor([0])} if model.active_peft_config.peft_type == "MULTITASK_PROMPT_TUNING" else {}
    logits = model.eval()(input_ids=torch.tensor([SEQUENCE]), **task).logits[0][-len(SEQUENCE):]
    hook.remove()
    return captured[0][0][-len(SEQUENCE):], logits


def weighted_sum(states):
    return (states * torch.arange(states.numel()).sin().view_as(states)).sum()


def losses(model):
    """The loss before every one of a few steps of AdamW."""
    optimizer, values = torch.optim.AdamW((p for p in model.parameters() if p.requires_grad), lr=RATE, weight_decay=0.0), []
    for _ in range(STEPS):
        loss = torch.nn.functional.cross_entropy(last_states(model)[1][:-1], torch.tensor(SEQUENCE[1:]))
        values.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return torch.tensor(values)


def network(name, spec):
    """What a network that makes embeddings computes, its gradients, and what it learns in a few steps."""
    torch.manual_seed(1)
    config = {"task_type": "CAUSAL_LM", **spec}
    model = get_peft_model(base(), get_peft_config(config))
    parameters = {key.replace("default.", ""): value for key, value in model.named_parameters() if value.requires_grad}

    def kept(moment, value=lambda parameter: parameter):
        return {f"{name}/{moment}/{key}": value(parameter).detach().clone() for key, parameter in parameters.items()}

    tensors = kept("tensors")
    tensors[f"{name}/tensors/prompt_embeddings"] = get_peft_model_state_dict(model)["prompt_embeddings"].clone()
    states = last_states(model)[0]
    weighted_sum(states).backward()
    tensors |= {f"{name}/states": states.detach(), **kept("gradients", lambda parameter: parameter.grad)}
    optimizer, losses = torch.optim.AdamW(parameters.values(), lr=RATE, weight_decay=0.0), []
    for _ in range(STEPS):
        loss = torch.nn.functional.cross_entropy(last_states(model)[1][:-1], torch.tensor(SEQUENCE[1:]))
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    tensors |= {f"{name}/losses": torch.tensor(losses), **kept("last")}
    return tensors, config


def main():
    FOLDER.mkdir(exist_ok=True)
    tensors = {f"base/{name}": value.contiguous() for name, value in base().state_dict().items()}
    configurations = {}
    for index, (name, spec) in enumerate(METHODS.items()):
        generator = torch.Generator().manual_seed(index)
        model = get_peft_model(base(), get_peft_config({"task_type": "CAUSAL_LM", **spec}))
        with torch.no_grad():
            for parameter in (p for p in model.parameters() if p.requires_grad):
                parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
        with tempfile.TemporaryDirectory() as folder:
            model.save_pretrained(folder)
            adapter = load_file(f"{folder}/adapter_model.safetensors")
            config = json.loads(Path(folder, "adapter_config.json").read_text())
            if spec["peft_type"] in PROMPTS:  # PEFT refuses to train what it has read; the parts it is made of do not
                again = get_peft_model(base(), get_peft_config({"task_type": "CAUSAL_LM", **spec}))
                set_peft_model_state_dict(again, adapter)
            else:
                again = PeftModel.from_pretrained(base(), folder, is_trainable=True)
        states = last_states(again)[0]
        weighted_sum(states).backward()
        tensors[f"{name}/states"] = states.detach().contiguous()
        tensors |= {f"{name}/tensors/{key}": value.contiguous() for key, value in adapter.items()}
        with torch.no_grad():  # each parameter replaced by its gradient has the gradient under its stored name
            for parameter in again.parameters():
                if parameter.requires_grad:
                    parameter.copy_(parameter.grad if parameter.grad is not None else torch.zeros_like(parameter))
        trained = get_peft_model_state_dict(again)
        frozen = (
            "vera_A", "vera_B", "base_layer.weight", "_indices", "_topk_weights", "randlora_A", "randlora_B", "tinylora_A", "tinylora_B", "tinylora_P",
            "delora_w_norm", ".zeros")
        seen = set()  # layers may share a parameter, which ours have once
        tensors |= {
            f"{name}/gradients/{key}": trained[key].detach().clone().contiguous()
            for key in trained if key in adapter and not key.endswith(frozen) and trained[key].data_ptr() not in seen and not seen.add(trained[key].data_ptr())}
        if name in LEARNING:
            with tempfile.TemporaryDirectory() as folder:
                model.save_pretrained(folder)
                tensors[f"{name}/losses"] = losses(PeftModel.from_pretrained(base(), folder, is_trainable=True))
        configurations[name] = {key: sorted(value) if key == "target_modules" and isinstance(value, list) else value for key, value in config.items()}
    for name, spec in NETWORKS.items():
        made, configurations[name] = network(name, spec)
        tensors |= made
    save_file({key: value.float().contiguous() for key, value in tensors.items()}, FOLDER / "methods.safetensors")
    (FOLDER / "methods.json").write_text(json.dumps(configurations, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
