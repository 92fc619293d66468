"""Makes Tests/GraftAdaptersTests/Fixtures/adapterhub.*: what AdapterHub's methods compute on a tiny BERT and a tiny GPT-2.

    python Scripts/make-adapterhub-goldens.py [FOLDER ...]        (adapters 1.2.0 with its transformers 4.51, torch, safetensors)

A FOLDER is put before Python's own path: `adapters` needs an older Transformers than the other scripts, so that
`pip install --no-deps --target FOLDER adapters==1.2.0 'transformers~=4.51.3' 'huggingface-hub<1.0' 'tokenizers<0.22'` may serve.

`adapterhub.safetensors` holds the bases' tensors under `MODEL/base/`, an adapter's as the library saved them under `NAME/tensors/`, the last
hidden states of one sequence with it as `NAME/states`, the gradients of their sum, element k weighted by sin k, as `NAME/gradients/`, and the
values of that sum over the elements' number before every one of a few steps of AdamW as `NAME/losses`; `compositions/` has two adapters, what
fuses them, and the states with each composition; `adapterhub.json` has for every NAME its
model and its `adapter_config.json`.
"""

import json
import sys
import tempfile
from pathlib import Path

sys.path[:0] = sys.argv[1:]

import adapters
import torch
import transformers
from safetensors.torch import save_file

FOLDER = Path(__file__).parent.parent / "Tests/GraftAdaptersTests/Fixtures"
SEQUENCE = [3, 17, 5, 11, 8, 2, 22]
STEPS, RATE = 5, 0.02
BERT = dict(
    model_type="bert", vocab_size=23, hidden_size=8, intermediate_size=12, num_hidden_layers=2, num_attention_heads=2, max_position_embeddings=10)
GPT2 = dict(model_type="gpt2", vocab_size=23, n_embd=8, n_layer=2, n_head=2, n_inner=12, n_positions=10)
MODELS = {
    "bert": (BERT, transformers.BertConfig, transformers.BertForMaskedLM), "gpt2": (GPT2, transformers.GPT2Config, transformers.GPT2LMHeadModel),
}
LORA = adapters.LoRAConfig(r=2, alpha=3, intermediate_lora=True, output_lora=True, attn_matrices=["q", "k"])
GATED = dict(
    prefix_tuning=adapters.PrefixTuningConfig(prefix_length=3, bottleneck_size=5), adapter=adapters.SeqBnConfig(reduction_factor=4),
    lora=adapters.LoRAConfig(r=2, alpha=3))
CASES = {
    "loreft": ("bert", adapters.LoReftConfig(r=2, prefix_positions=2, suffix_positions=3, dropout=0.0)),
    "loreft-tied": ("gpt2", adapters.LoReftConfig(r=3, prefix_positions=2, suffix_positions=2, tied_weights=True, layers=[1], dropout=0.0)),
    "noreft": ("gpt2", adapters.NoReftConfig(r=2, suffix_positions=1, non_linearity="relu", dropout=0.0)),
    "direft": ("bert", adapters.DiReftConfig(r=2, suffix_positions=1, dropout=0.0)),
    "prefix": ("gpt2", adapters.PrefixTuningConfig(prefix_length=3, bottleneck_size=5)),
    "prefix-flat": ("bert", adapters.PrefixTuningConfig(flat=True, prefix_length=3, use_gating=True, shared_gating=False)),
    "lora": ("bert", LORA),
    "unipelt": ("bert", adapters.UniPELTConfig(**GATED)),
    "mam": ("gpt2", adapters.MAMConfig(adapters.PrefixTuningConfig(prefix_length=2, bottleneck_size=4), adapters.ParBnConfig(reduction_factor=4))),
    "inverse": ("bert", adapters.SeqBnInvConfig(reduction_factor=4)),
    "plus": ("bert", adapters.AdapterPlusConfig(reduction_factor=4, stochastic_depth=0.0)),
    "plus-gpt2": ("gpt2", adapters.AdapterPlusConfig(reduction_factor=4, stochastic_depth=0.0)),
    "post-add": ("bert", adapters.SeqBnConfig(reduction_factor=4, residual_before_ln="post_add", scaling="channel")),
}


def base(name):
    shape, config, kind = MODELS[name]
    torch.manual_seed(0)
    # Drawn values of a size that lets every part be seen.
    # Of prefixes sdpa's causal mask, which begins at the first key, would hide the last tokens.
    model = kind(config(**{key: value for key, value in shape.items() if key != "model_type"}, initializer_range=0.3, attn_implementation="eager"))
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if key.endswith("bias"):
                parameter.normal_(0, 0.1)
    return model.eval()


def states(model):
    return model(input_ids=torch.tensor([SEQUENCE]), output_hidden_states=True).hidden_states[-1][0]


def weighted_sum(values):
    return (values * torch.arange(values.numel()).sin().view_as(values)).sum()


def compositions():
    """Two adapters of one BERT, composed in every way: their states, those of a batch of two for the last."""
    composition = adapters.composition
    model, generator = base("bert"), torch.Generator().manual_seed(50)
    adapters.init(model)
    for name in ("a", "b"):
        model.add_adapter(name, config=adapters.SeqBnConfig(reduction_factor=4, mh_adapter=True))
    model.add_adapter_fusion(composition.Fuse("a", "b"))
    tensors = {}
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if ".adapters." in key or ".adapter_fusion_layer." in key:
                parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
                tensors["compositions/tensors/" + key] = parameter.clone()
        setups = {
            "fuse": composition.Fuse("a", "b"), "stack": composition.Stack("a", "b"), "split": composition.Split("a", "b", splits=[3, 4]),
            # The library divides by the number of adapters once more.
            "average": composition.Average("a", "b", weights=[0.6, 1.4], normalize_weights=False),
        }
        for name, setup in setups.items():
            model.set_active_adapters(setup)
            tensors[f"compositions/{name}"] = states(model)
        model.set_active_adapters(composition.BatchSplit("a", "b", batch_sizes=[1, 1]))
        batch = torch.tensor([SEQUENCE, SEQUENCE[::-1]])
        tensors["compositions/batch_split"] = model(input_ids=batch, output_hidden_states=True).hidden_states[-1].flatten(0, 1)
    return tensors


def plain(key):
    """A prefix's own name, under which it stands beside those of every layer."""
    return f"{key.split('.')[0]}.prefix_tuning.{key.split('.pool.')[1]}" if ".pool." in key else key


def adapted(model, config, generator, kept_base):
    adapters.init(model)
    model.add_adapter("ad", config=config)
    model.train_adapter("ad")
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if parameter.requires_grad:
                change = 0.3 * torch.randn(parameter.shape, generator=generator)
                # Of an orthogonal parametrisation what stands before a row's sign counts as nothing.
                parameter.add_(change.triu(1) if key.endswith("original") else change)
        for key, buffer in model.named_buffers():
            if key.endswith("0.base") and kept_base:
                buffer.copy_(torch.eye(len(buffer)))
    return model.eval()


def main():
    tensors, descriptions = {}, {}
    for name in MODELS:
        tensors |= {f"{name}/base/{key}": value.clone() for key, value in base(name).state_dict().items() if not key.endswith(("position_ids", ".attn.bias"))}
    for index, (name, (kind, config)) in enumerate(CASES.items()):
        model = adapted(base(kind), config, torch.Generator().manual_seed(index), name == "loreft-tied")
        with tempfile.TemporaryDirectory() as folder:
            model.save_adapter(folder, "ad", with_head=False)
            stored = torch.load(f"{folder}/pytorch_adapter.bin")
            descriptions[name] = {"model": MODELS[kind][0], "base": kind, "adapter": json.loads(Path(folder, "adapter_config.json").read_text())}
        if name == "direft":  # the library does not save that nothing is subtracted, and forgets it
            descriptions[name]["adapter"]["config"]["subtract_projection"] = False
        tensors |= {f"{name}/tensors/{key}": value.clone() for key, value in stored.items() if ".pool." not in key}
        values = states(model)
        weighted_sum(values).backward()
        tensors[f"{name}/states"] = values.detach().clone()
        parameters = {plain(key): value for key, value in model.named_parameters() if value.requires_grad}
        tensors |= {f"{name}/gradients/{key}": value.grad.clone() for key, value in parameters.items() if value.grad is not None}
        optimizer, losses = torch.optim.AdamW(parameters.values(), lr=RATE, weight_decay=0.0), []
        for _ in range(STEPS):
            optimizer.zero_grad()
            loss = weighted_sum(states(model)) / values.numel()
            losses.append(loss.item())
            loss.backward()
            optimizer.step()
        tensors[f"{name}/losses"] = torch.tensor(losses)
    tensors |= compositions()
    save_file({key: value.float().contiguous() for key, value in tensors.items()}, FOLDER / "adapterhub.safetensors")
    (FOLDER / "adapterhub.json").write_text(json.dumps(descriptions, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
