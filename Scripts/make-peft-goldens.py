#!/usr/bin/env python3
"""Writes what PEFT makes of configurations: which tensors an adapter has, and what adapters of tied tables compute.

Needs torch, transformers 5.23, peft 0.21.2 and safetensors:

    python3 Scripts/make-peft-goldens.py

`peft-names.json` lists, for configurations of tiny models, the names that `get_peft_model_state_dict` gives, or null where PEFT refuses.
`peft-values.safetensors` and `.json` hold a tied Llama, adapters on it, and log-probabilities of its next tokens.
"""

import json
import pathlib
import warnings

import peft
import torch
import transformers
from safetensors.torch import save_file

warnings.filterwarnings("ignore")
transformers.logging.set_verbosity_error()
FIXTURES = pathlib.Path(__file__).parent.parent / "Tests/GraftAdaptersTests/Fixtures"
SIZES = {"vocab_size": 23, "hidden_size": 12, "intermediate_size": 20, "num_hidden_layers": 2, "num_attention_heads": 3}
LLAMA = transformers.LlamaConfig(**SIZES, num_key_value_heads=1, tie_word_embeddings=True)
BERT = transformers.BertConfig(**SIZES, max_position_embeddings=40)
ROBERTA = transformers.RobertaConfig(**SIZES, max_position_embeddings=40)
DISTILBERT = transformers.DistilBertConfig(vocab_size=23, dim=12, hidden_dim=20, n_layers=2, n_heads=3, max_position_embeddings=40)
MODELS = {
    "llama": (transformers.LlamaForCausalLM, LLAMA, "CAUSAL_LM"),
    "gpt2": (transformers.GPT2LMHeadModel, transformers.GPT2Config(vocab_size=23, n_embd=12, n_layer=2, n_head=3, n_positions=40), "CAUSAL_LM"),
    "t5": (transformers.T5ForConditionalGeneration, transformers.T5Config(
        vocab_size=23, d_model=12, d_kv=5, d_ff=20, num_layers=2, num_heads=2, relative_attention_num_buckets=8,
        relative_attention_max_distance=9, feed_forward_proj="gated-gelu"), "SEQ_2_SEQ_LM"),
    "bert-cls": (transformers.BertForSequenceClassification, BERT, "SEQ_CLS"),
    "bert-tok": (transformers.BertForTokenClassification, BERT, "TOKEN_CLS"),
    "roberta-cls": (transformers.RobertaForSequenceClassification, ROBERTA, "SEQ_CLS"),
    "distilbert-cls": (transformers.DistilBertForSequenceClassification, DISTILBERT, "SEQ_CLS"),
    "distilbert-tok": (transformers.DistilBertForTokenClassification, DISTILBERT, "TOKEN_CLS"),
}
# model, configuration beside {"peft_type": "LORA", "r": 2}
NAMES = [
    ("llama", {"target_modules": ["q_proj", "v_proj"]}),
    ("llama", {"target_modules": ["0.self_attn.q_proj", "model.layers.1.mlp.up_proj"]}),
    ("llama", {"target_modules": ["proj", "q_proj"]}),
    ("llama", {"target_modules": ["up_proj", "model.layers.1.mlp.down_proj"], "layers_to_transform": [0]}),
    ("llama", {"target_modules": ["up_proj"], "layers_to_transform": 1, "layers_pattern": "layers"}),
    ("llama", {"target_modules": ["up_proj"], "layers_to_transform": [1], "layers_pattern": ["h", "layer."]}),
    ("llama", {"target_modules": ["up_proj", "gate_proj"], "exclude_modules": ["0.mlp.up_proj", "gate"]}),
    ("llama", {"target_modules": ["up_proj", "gate_proj"], "exclude_modules": r".*\.0\..*"}),
    ("llama", {"target_modules": r".*\bq_proj|.*\.1\.\b.*v_proj"}),
    ("llama", {"target_modules": r".*(?<!layers\.0\.)mlp\.(up|down)_proj$"}),
    ("llama", {"target_modules": r"(?i).*Q_PROJ"}),
    ("llama", {"target_modules": r"model\.layers\.\d+\.self_attn\.[qk]_proj"}),
    ("llama", {"target_modules": r"q_proj"}),
    ("llama", {"target_modules": "all-linear"}),
    ("llama", {"target_modules": "ALL-LINEAR"}),
    ("llama", {"target_modules": ["up_proj", "norm"], "modules_to_save": ["norm"]}),
    ("llama", {"target_modules": ["up_proj", "down_proj"], "modules_to_save": ["1.mlp.down_proj"]}),
    ("llama", {"target_modules": ["up_proj"], "modules_to_save": ["proj", "nothing"]}),
    ("llama", {"target_modules": ["up_proj"], "modules_to_save": ["embed_tokens"]}),
    ("llama", {"target_modules": ["up_proj"], "modules_to_save": ["lm_head"]}),
    ("llama", {"target_modules": ["up_proj"], "modules_to_save": ["embed_tokens", "lm_head"]}),
    ("llama", {"target_modules": ["up_proj"], "modules_to_save": ["lm_head"], "ensure_weight_tying": True}),
    ("llama", {"target_modules": ["up_proj"], "rank_pattern": {"0.*up_proj": 3, r"^model.*\.up_proj": 4}}),
    ("llama", {"target_modules": [], "target_parameters": ["q_proj.weight", "1.mlp.up_proj.weight"]}),
    ("llama", {"target_modules": ["v_proj"], "target_parameters": ["0.self_attn.q_proj.weight"]}),
    ("llama", {"target_modules": ["v_proj"], "trainable_token_indices": {"embed_tokens": [1, 2], "lm_head": [1, 2]}}),
    ("llama", {"target_modules": ["v_proj"], "trainable_token_indices": {"embed_tokens": [1, 2], "lm_head": [1, 3]}}),
    ("gpt2", {"target_modules": ["c_attn", "mlp.c_proj"], "layers_to_transform": [1]}),
    ("gpt2", {"target_modules": "all-linear"}),
    ("t5", {"target_modules": ["q", "wo"]}),
    ("t5", {"target_modules": ["q", "wo"], "layers_to_transform": [1]}),
    ("t5", {"target_modules": "all-linear"}),
    ("bert-cls", {"target_modules": ["query", "dense"]}),
    ("bert-cls", {"target_modules": ["query"], "bias": "all"}),
    ("bert-cls", {"target_modules": ["query"], "bias": "lora_only", "modules_to_save": ["pooler"]}),
    ("bert-cls", {"target_modules": "all-linear"}),
    ("bert-tok", {"target_modules": ["query", "output.dense"]}),
    ("roberta-cls", {"target_modules": ["query", "dense"]}),
    ("roberta-cls", {"target_modules": "all-linear"}),
    ("distilbert-cls", {"target_modules": ["q_lin"]}),
    ("distilbert-tok", {"target_modules": ["q_lin", "lin1"]}),
]
VALUES = {
    "save_tied": {"target_modules": ["q_proj"], "modules_to_save": ["embed_tokens"]},
    "tied_head": {"target_modules": ["q_proj"], "modules_to_save": ["lm_head"]},
    "tied_both": {"target_modules": ["q_proj"], "modules_to_save": ["embed_tokens", "lm_head"]},
    "save_ensured": {"target_modules": ["q_proj"], "modules_to_save": ["embed_tokens"], "ensure_weight_tying": True},
    "lora_table": {"target_modules": ["embed_tokens"]},
    "lora_head": {"target_modules": ["lm_head"]},
    "lora_both": {"target_modules": ["embed_tokens", "lm_head"]},
    "lora_ensured": {"target_modules": ["embed_tokens", "q_proj"], "ensure_weight_tying": True},
    "dora_table": {"target_modules": ["embed_tokens", "q_proj"], "use_dora": True},
    "parameters": {"target_modules": [], "target_parameters": ["k_proj.weight", "0.mlp.up_proj.weight"]},
    "tokens": {"target_modules": ["v_proj"], "trainable_token_indices": {"embed_tokens": [1, 2], "lm_head": [1, 3]}},
}
TOKENS = [3, 17, 5, 1, 8, 2, 21]


def plain(value):
    return sorted(value) if isinstance(value, set) else value


def names():
    rows = []
    for model, settings in NAMES:
        kind, config, task = MODELS[model]
        try:
            made = peft.get_peft_model(kind(config), peft.LoraConfig(r=2, task_type=task, **settings))
            found = sorted(name for name in peft.get_peft_model_state_dict(made) if not name.endswith(".base_layer.weight"))
            shapes = {name: list(value.shape) for name, value in peft.get_peft_model_state_dict(made).items() if "lora_A" in name}
        except (ValueError, TypeError):
            found, shapes = None, {}
        rows.append({"model": model, "config": settings, "names": found, "ranks": {n: s[0] for n, s in shapes.items() if s[0] != 2}})
    (FIXTURES / "peft-names.json").write_text(json.dumps(rows, indent=1, sort_keys=True) + "\n", "utf-8")


@torch.no_grad()
def values():
    tensors, configs = {}, {}
    torch.manual_seed(5)
    base = transformers.LlamaForCausalLM(LLAMA)
    for parameter in base.parameters():
        parameter.add_(0.3 * torch.randn_like(parameter))
    state = {k: v.clone() for k, v in base.state_dict().items() if k != "lm_head.weight"}
    tensors |= {f"base/{k}": v for k, v in state.items()}
    for name, settings in VALUES.items():
        model = transformers.LlamaForCausalLM(LLAMA)
        model.load_state_dict(state, strict=False)
        model.tie_weights()
        model = peft.get_peft_model(model, peft.LoraConfig(r=2, lora_alpha=3, task_type="CAUSAL_LM", **settings)).eval()
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.3 * torch.randn_like(parameter))
        configs[name] = {k: plain(v) for k, v in model.peft_config["default"].to_dict().items()}
        saved = peft.get_peft_model_state_dict(model)
        tensors |= {f"{name}/{k}": v.detach().clone().contiguous() for k, v in saved.items()}
        tensors[f"expected/{name}"] = model(torch.tensor([TOKENS])).logits[0].log_softmax(-1)
    save_file(tensors, FIXTURES / "peft-values.safetensors")
    (FIXTURES / "peft-values.json").write_text(json.dumps(configs, indent=1, sort_keys=True, default=str) + "\n", "utf-8")


if __name__ == "__main__":
    names()
    values()
