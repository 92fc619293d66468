#!/usr/bin/env python3
"""Writes what Transformers makes of configurations, for Tests/GraftModelsTests/Fixtures.

`configuration-keys.json` lists the keys of every family's configuration class with their defaults. `configurations/*.json`
holds, for every family, a tiny checkpoint and what it computes under changed keys: each case is a config.json and a weight
file that Transformers loads as a user would. Weights are not stored: `value` makes them from a tensor's name, and the tests
do the same. Needs torch and transformers.

    python Scripts/make-configuration-goldens.py
"""

import copy
import dataclasses
import json
import pathlib
import tempfile

import golden_values
import torch
import transformers
from safetensors.torch import save_file

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "Tests" / "GraftModelsTests" / "Fixtures"


def value(name, shape):
    """Values that depend on the name alone, around 1 for the weights of norms; xIELU's edge is where it is."""
    if name.endswith(".eps"):
        return torch.full(shape, -1e-6)
    found = torch.from_numpy(golden_values.value(name, shape, 1.0 if len(shape) == 1 and name.endswith("weight") else 0.0))
    # xIELU's parameters are kept in 16 bits, whatever the model is in.
    return found.bfloat16().float() if ".act_fn." in name else found


CLASSES = {
    "causal_lm": transformers.AutoModelForCausalLM, "masked_lm": transformers.AutoModelForMaskedLM,
    "seq2seq_lm": transformers.AutoModelForSeq2SeqLM,
}


def scores(model, task, examples):
    """The log-probabilities of the targets, example after example.

    Each has a model of its own: rotary positions that depend on the length remember the longest sequence so far.
    """
    found = []
    for example in examples:
        fresh = copy.deepcopy(model) if hasattr(model.config, "rope_parameters") else model
        tokens = example["tokens"]
        if task == "seq2seq_lm":
            start = model.config.decoder_start_token_id
            inputs = {"input_ids": torch.tensor([example["source"]]), "decoder_input_ids": torch.tensor([[start] + tokens[:-1]])}
        else:
            inputs = {"input_ids": torch.tensor([tokens])}
        with torch.no_grad():
            logits = fresh(**inputs).logits[0].log_softmax(-1)
        if task == "causal_lm":
            found += [logits[row, token].item() for row, token in enumerate(tokens[1:])]
        elif task == "seq2seq_lm":
            found += [logits[row, token].item() for row, token in enumerate(tokens)]
        else:
            found += [logits[row, token].item() for row, token in enumerate(example["targets"]) if token != -100]
    return found


def continued(model, tokens, prompt):
    """The log-probabilities of the tokens behind a prompt, one pass for the prompt and one for each token after it."""
    model, cache, found, read = copy.deepcopy(model), transformers.DynamicCache(config=model.config), [], 0
    for count in [prompt] + [1] * (len(tokens) - prompt - 1):
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([tokens[read:read + count]]), past_key_values=cache, use_cache=True).logits[0, -1]
        read += count
        found.append(round(logits.log_softmax(-1)[tokens[read]].item(), 6))
    return found


class Family:
    """A tiny checkpoint of a family, and the cases made from it."""

    def __init__(self, name, task, config, examples, attention=None):
        self.name, self.task, self.config, self.examples = name, task, dict(config, model_type=name), examples
        self.attention = {"attn_implementation": attention} if attention else {}
        self.cases, self.tensors = [], None
        self.base = self.case({})

    def case(self, changes, drop=(), add=None, remove=(), copies=None, same=False, prompts=None):
        """A case: keys changed or dropped, tensors added (name to shape), removed, or a copy of another."""
        config = {key: found for key, found in {**self.config, **changes}.items() if key not in drop}
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder)
            (path / "config.json").write_text(json.dumps(config))
            made = CLASSES[self.task].from_config(transformers.AutoConfig.from_pretrained(folder))
            seen, shapes = set(), {}
            for name, tensor in made.state_dict().items():
                if tensor.data_ptr() not in seen:
                    shapes[name] = list(tensor.shape)
                seen.add(tensor.data_ptr())
            shapes = {name: shape for name, shape in {**shapes, **(add or {})}.items() if name not in remove}
            stored = {name: value((copies or {}).get(name, name), shape) for name, shape in shapes.items()}
            save_file(stored, path / "model.safetensors", metadata={"format": "pt"})
            model = CLASSES[self.task].from_pretrained(folder, dtype=torch.float32, **self.attention).eval().float()
            outputs = scores(model, self.task, self.examples)
        if self.tensors is None:
            self.tensors = shapes
        else:
            difference = max(abs(a - b) for a, b in zip(outputs, self.base["outputs"]))
            assert (difference < 2e-6) == same, (self.name, changes, difference)
        entry = {"set": changes}
        if drop:
            entry["drop"] = list(drop)
        if copies:
            entry["copies"] = copies
        changed = {name: shape for name, shape in shapes.items() if self.tensors.get(name) != shape}
        changed.update({name: None for name in self.tensors if name not in shapes})
        if changed:
            entry["tensors"] = changed
        entry["outputs"] = [round(x, 6) for x in outputs]
        if prompts:
            entry["continued"] = [continued(model, e["tokens"], prompt) for e, prompt in zip(self.examples, prompts)]
        self.cases.append(entry)
        return entry

    def each(self, *changes, **more):
        for change in changes:
            self.case(change, **more)

    def write(self):
        fixture = {
            "task": self.task, "config": self.config, "tensors": self.tensors, "examples": self.examples, "cases": self.cases,
        }
        (FOLDER / "configurations" / f"{self.name}.json").write_text(json.dumps(fixture, separators=(",", ":")) + "\n")


TEXTS = [{"tokens": [3, 7, 1, 18, 9, 4, 2, 11, 5]}, {"tokens": [11, 2, 11, 6]}]
SOURCES = [{"tokens": [3, 7, 1, 8], "source": [4, 9, 17, 2, 6, 6, 1, 12, 10]}, {"tokens": [11, 2], "source": [8]}]
MASKED = [{"tokens": e["tokens"], "targets": [t if row % 2 else -100 for row, t in enumerate(e["tokens"])]} for e in TEXTS]
ACTIVATIONS = [
    "gelu", "gelu_10", "gelu_fast", "gelu_new", "gelu_python", "gelu_pytorch_tanh", "gelu_python_tanh", "gelu_accurate", "hardswish",
    "laplace", "leaky_relu", "linear", "mish", "quick_gelu", "relu", "relu2", "relu6", "sigmoid", "silu", "sqrtsoftplus", "swish", "tanh",
]


def activations(family, key, default, names=("mish", "relu2", "tanh", "laplace", "prelu")):
    for name in names:
        family.case({key: name}, same=name in default)


def rotary(family):
    """Every kind of rotary positions, in every place where it may stand. Sequences reach beyond 6 positions."""
    llama3 = dict(rope_type="llama3", factor=4.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=4)
    yarn = dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=4)
    long = dict(rope_type="longrope", short_factor=[1.0, 2.0], long_factor=[3.0, 5.0], original_max_position_embeddings=5)
    dynamic = dict(rope_type="dynamic", factor=3.0)
    family.each(
        {"rope_theta": 50.0}, {"rope_parameters": {"rope_theta": 50.0}}, {"rope_scaling": {"rope_theta": 50.0, "type": "default"}},
        {"rope_theta": 50.0, "rope_parameters": {"rope_type": "linear", "factor": 2.0}},
        {"rope_theta": 50.0, "rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 20.0}},
        {"rope_theta": 50.0, "rope_scaling": {"type": "linear", "factor": 2.0}},
        {"rope_scaling": {"type": "linear", "factor": 2.0}, "rope_parameters": {"rope_type": "linear", "factor": 8.0, "rope_theta": 20.0}},
        {"rope_scaling": {}, "rope_parameters": {"rope_type": "linear", "factor": 8.0}},
        {"rope_scaling": {"type": "linear", "rope_type": "default", "factor": 8.0, "rope_theta": 20.0}},
        {"rope_scaling": llama3}, {"rope_parameters": llama3, "rope_theta": 50.0},
        {"rope_parameters": {k: v for k, v in llama3.items() if k != "original_max_position_embeddings"}},
        {"rope_parameters": dict(llama3, original_max_position_embeddings=99), "original_max_position_embeddings": 4},
        {"rope_scaling": yarn}, {"rope_scaling": dict(yarn, factor=None)}, {"rope_scaling": dict(yarn, attention_factor=1.5)},
        {"rope_scaling": dict(yarn, mscale=0.7, mscale_all_dim=1.4)}, {"rope_scaling": dict(yarn, mscale=0.7)},
        {"rope_scaling": dict(yarn, beta_fast=2.0, beta_slow=0.5)}, {"rope_scaling": dict(yarn, beta_fast=0, beta_slow=None)},
        {"rope_scaling": dict(yarn, truncate=False)}, {"rope_scaling": dict(yarn, truncate=None)},
        {"rope_scaling": dynamic}, {"rope_scaling": dynamic, "max_position_embeddings": 3},
        {"rope_parameters": long}, {"rope_parameters": dict(long, factor=9.0)}, {"rope_parameters": dict(long, attention_factor=1.3)},
        {"rope_parameters": dict(long, original_max_position_embeddings=2)},
        {"rope_parameters": {"rope_type": "proportional", "partial_rotary_factor": 0.5}},
        {"rope_parameters": {"rope_type": "proportional", "factor": 2.0}, "partial_rotary_factor": 0.5},
    )
    family.case({"rope_scaling": dynamic, "max_position_embeddings": 4}, prompts=[2, 2])
    family.case({"rope_scaling": dynamic, "max_position_embeddings": 3}, prompts=[5, 2])
    family.case({"rope_parameters": dict(long, original_max_position_embeddings=3)}, prompts=[2, 2])
    family.case({"rope_scaling": dynamic, "max_position_embeddings": 64}, same=True)
    family.case({"rope_scaling": None, "rope_parameters": None}, same=True)
    family.case({"partial_rotary_factor": 0.5}, same=True)
    family.case({"rope_parameters": {"rope_type": "default", "mrope_section": [1, 1]}}, same=True)


def tied(family, head, table):
    """A head that is tied by the configuration: alone, twice, and beside another."""
    shape = family.tensors[table]
    base = {"tie_word_embeddings": True}
    family.case(base, remove=[head], same=head not in family.tensors)
    family.case(base, add={head: shape}, same=head in family.tensors)
    family.case(base, add={head: shape}, copies={head: table}, same=head not in family.tensors)
    family.case(base, add={head: shape}, remove=[table])


def rotary_decoder(name, config, dropouts=("attention_dropout",), head="head_dim", attention=None):
    """A relative of Llama with what all of them have."""
    family = Family(name, "causal_lm", config, TEXTS, attention)
    family.each(
        {"vocab_size": 21}, {"num_hidden_layers": 1, **({"layer_types": ["full_attention"]} if "layer_types" in config else {})},
        {"intermediate_size": 6}, {"num_key_value_heads": 2}, {"rms_norm_eps": 0.1}, {"rope_theta": 50.0}, {"num_attention_heads": 4})
    if "layer_types" not in config:
        family.case({"rope_parameters": {"rope_theta": 20.0}})
    if head:
        family.each({"hidden_size": 12}, {head: 12})
    else:
        family.case({"hidden_size": 24})
    family.case({"use_cache": False, "bos_token_id": 5, "eos_token_id": [3, 4], "pad_token_id": 7, **{key: 0.5 for key in dropouts}}, same=True)
    family.case({"output_attentions": False, "initializer_range": 0.5, "unknown": {"a": 1}}, same=True)
    # Kinds of layers, and the share of a head, are for other families.
    if name not in ("gemma2", "gemma3_text"):
        family.case({"layer_types": ["full_attention", "attention"]}, same=True)
    if name not in ("phi3", "glm", "glm4"):
        family.case({"partial_rotary_factor": 0.5}, same=True)
    if "sliding_window" not in config:
        family.case({"is_causal": False})
    tied(family, "lm_head.weight", "model.embed_tokens.weight")
    return family


def other_decoders():
    """The decoders that are further from Llama."""
    tiny = dict(
        vocab_size=19, hidden_size=8, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1, intermediate_size=10,
        max_position_embeddings=6)
    families = {}
    gemma = dict(tiny, head_dim=4)
    linear, stretched = {"type": "linear", "factor": 3.0}, {"rope_type": "linear", "factor": 3.0}
    family = families["gemma"] = rotary_decoder("gemma", gemma)
    family.case({"hidden_act": "gelu"}, same=True)
    family.each({"hidden_act": "relu"}, {"attention_bias": True}, {"rope_scaling": linear})
    family = families["gemma2"] = rotary_decoder(
        "gemma2", dict(gemma, sliding_window=3, query_pre_attn_scalar=5, attn_logit_softcapping=2.0, final_logit_softcapping=1.5),
        attention="eager")
    family.each(
        {"hidden_activation": "relu"}, {"attention_bias": True}, {"query_pre_attn_scalar": 7}, {"sliding_window": 2},
        {"attn_logit_softcapping": None}, {"attn_logit_softcapping": 1.0}, {"final_logit_softcapping": None}, {"final_logit_softcapping": 1.0},
        {"layer_types": ["full_attention", "sliding_attention"]}, {"rope_scaling": linear})
    family.case({"hidden_act": "relu"}, same=True)
    family = families["gemma3_text"] = rotary_decoder(
        "gemma3_text", dict(gemma, sliding_window=3, query_pre_attn_scalar=5, layer_types=["sliding_attention", "full_attention"], rope_theta=40.0),
        attention="eager")
    family.each(
        {"hidden_activation": "relu"}, {"attention_bias": True}, {"query_pre_attn_scalar": 7}, {"sliding_window": 2},
        {"final_logit_softcapping": 1.0}, {"layer_types": ["full_attention", "sliding_attention"]}, {"rope_scaling": stretched},
        {"rope_local_base_freq": 30.0}, {"rope_parameters": {"sliding_attention": {"rope_theta": 7.0}}},
        {"rope_parameters": {"full_attention": {"rope_type": "linear", "factor": 2.0, "rope_theta": 9.0}}},
        {"rope_parameters": {"full_attention": {"rope_theta": 9.0}}, "rope_scaling": stretched})
    # A kind under its older key does not count beside the default one under the newer.
    family.case({"rope_scaling": linear}, same=True)
    family.case({"attn_logit_softcapping": 1.0}, same=True)
    family.case({}, drop=["layer_types"])
    family.case({"sliding_window_pattern": 2}, drop=["layer_types"], same=True)
    family.case({"sliding_window_pattern": 3}, drop=["layer_types"])
    phi3 = dict(tiny, hidden_size=16, pad_token_id=17, original_max_position_embeddings=5, max_position_embeddings=40)
    family = families["phi3"] = rotary_decoder("phi3", phi3, ("attention_dropout", "resid_pdrop", "embd_pdrop"), head=None)
    long = dict(short_factor=[1.0, 1.5, 2.0, 2.5], long_factor=[3.0, 5.0, 6.0, 7.0])
    half = dict(short_factor=[1.0, 1.5], long_factor=[3.0, 5.0])
    family.each(
        {"hidden_act": "relu"}, {"sliding_window": 3}, {"partial_rotary_factor": 0.5}, {"rope_scaling": dict(long, type="longrope")},
        {"rope_scaling": dict(long, type="su", original_max_position_embeddings=5)}, {"rope_scaling": dict(long, type="yarn")},
        {"rope_scaling": dict(half, type="longrope"), "partial_rotary_factor": 0.5},
        {"rope_scaling": dict(half, type="longrope", partial_rotary_factor=0.5)},
        {"rope_parameters": dict(long, rope_type="longrope", factor=9.0)},
        {"rope_scaling": dict(long, type="longrope"), "original_max_position_embeddings": 20},
        {"rope_scaling": dict(long, type="longrope"), "max_position_embeddings": 80})
    for name in ("glm", "glm4"):
        family = families[name] = rotary_decoder(name, dict(tiny, head_dim=8, pad_token_id=17))
        family.each(
            {"hidden_act": "relu"}, {"attention_bias": False}, {"partial_rotary_factor": 1.0}, {"partial_rotary_factor": 0.25},
            {"rope_parameters": {"partial_rotary_factor": 1.0, "rope_theta": 10000.0}}, {"rope_scaling": linear},
            {"rope_scaling": linear, "partial_rotary_factor": 1.0})
    family = families["olmo2"] = rotary_decoder("olmo2", tiny)
    family.each({"hidden_act": "relu"}, {"attention_bias": True}, {"num_key_value_heads": None}, {"rope_scaling": linear})
    family = families["granite"] = rotary_decoder(
        "granite", dict(tiny, embedding_multiplier=1.7, residual_multiplier=0.6, attention_multiplier=0.3, logits_scaling=2.5))
    family.each(
        {"hidden_act": "relu"}, {"attention_bias": True}, {"mlp_bias": True}, {"num_key_value_heads": None}, {"rope_scaling": linear},
        {"embedding_multiplier": 1.0}, {"residual_multiplier": 1.0}, {"attention_multiplier": 1.0}, {"logits_scaling": 1})
    family = families["openai-gpt"] = Family("openai-gpt", "causal_lm", dict(vocab_size=19, n_embd=8, n_layer=2, n_head=2, n_positions=12), TEXTS)
    family.each(
        {"hidden_size": 12}, {"num_hidden_layers": 1}, {"num_attention_heads": 4}, {"layer_norm_epsilon": 0.1}, {"vocab_size": 21},
        {"tie_word_embeddings": False}, {"afn": "relu"}, {"afn": "silu"}, {"afn": "swish"})
    family.case({"max_position_embeddings": 14, "summary_type": "last", "resid_pdrop": 0.5}, same=True)
    tied(family, "lm_head.weight", "transformer.tokens_embed.weight")
    family = families["bloom"] = Family("bloom", "causal_lm", dict(vocab_size=19, hidden_size=12, n_layer=2, n_head=3), TEXTS)
    family.each(
        {"hidden_size": 24}, {"num_hidden_layers": 1}, {"num_attention_heads": 4}, {"n_head": 6}, {"layer_norm_epsilon": 0.1},
        {"vocab_size": 21}, {"tie_word_embeddings": False}, {"is_causal": False})
    family.case({"pretraining_tp": 2, "hidden_dropout": 0.5, "attention_dropout": 0.5, "seq_length": 99}, same=True)
    tied(family, "lm_head.weight", "transformer.word_embeddings.weight")
    return families


def main():
    (FOLDER / "configurations").mkdir(parents=True, exist_ok=True)
    keys = {}
    llama = dict(
        vocab_size=19, hidden_size=8, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1, intermediate_size=10,
        max_position_embeddings=6)
    relatives = {}
    for name, extra in (
        ("llama", {}), ("mistral", {"sliding_window": 3}), ("qwen2", {}), ("qwen3", {"head_dim": 4}),
    ):
        family = relatives[name] = Family(name, "causal_lm", dict(llama, **extra), TEXTS)
        family.each(
            {"rope_parameters": {"rope_theta": 20.0}}, {"rope_parameters": {"rope_type": "proportional"}, "partial_rotary_factor": 0.5},
            {"vocab_size": 21}, {"hidden_size": 12}, {"num_hidden_layers": 1}, {"intermediate_size": 6}, {"num_key_value_heads": 2},
            {"head_dim": 6}, {"rms_norm_eps": 0.1}, {"hidden_act": "gelu"}, {"rope_theta": 50.0}, {"rope_scaling": {"type": "linear", "factor": 3.0}},
            {"num_attention_heads": 4})
        family.case({"use_cache": False, "bos_token_id": 5, "eos_token_id": [3, 4], "pad_token_id": 7, "attention_dropout": 0.5}, same=True)
        family.case({"output_attentions": False, "initializer_range": 0.5, "unknown": {"a": 1}}, same=True)
        family.case({"is_causal": False, "sliding_window": None} if name == "mistral" else {"is_causal": False})
        tied(family, "lm_head.weight", "model.embed_tokens.weight")
    family = relatives["llama"]
    activations(family, "hidden_act", ("silu", "swish"), ACTIVATIONS)
    rotary(family)
    family.each({"hidden_act": "prelu"}, {"hidden_act": "xielu"}, {"attention_bias": True}, {"mlp_bias": True}, {"num_key_value_heads": None})
    family.case({"pretraining_tp": 2, "layer_types": ["full_attention", "attention"]}, same=True)
    family.case({"head_dim": None}, same=True)
    family = relatives["mistral"]
    family.each({"sliding_window": None}, {"sliding_window": 2}, {"layer_types": ["full_attention", "sliding_attention"], "head_dim": 4})
    family.case({"attention_bias": True, "mlp_bias": True}, same=True)
    family.case({"head_dim": None}, same=True)
    family = relatives["qwen2"]
    family.each(
        {"use_sliding_window": True, "sliding_window": 2, "max_window_layers": 1}, {"use_sliding_window": True, "sliding_window": 2, "max_window_layers": 0},
        {"use_sliding_window": True, "sliding_window": 3, "layer_types": ["sliding_attention", "full_attention"]})
    family.case({"use_sliding_window": True, "sliding_window": 2}, same=True)
    family.case({"sliding_window": 2, "max_window_layers": 0}, same=True)
    family.case({"attention_bias": False, "mlp_bias": True}, same=True)
    relatives["qwen3"].case({"layer_types": ["full_attention", "sliding_attention"], "use_sliding_window": True, "sliding_window": 2})
    relatives["qwen3"].each({"attention_bias": True}, {"use_sliding_window": True, "sliding_window": 2, "max_window_layers": 0})
    relatives["qwen3"].case({}, drop=["head_dim"])

    others = other_decoders()

    gpt2 = Family("gpt2", "causal_lm", dict(vocab_size=19, n_embd=8, n_layer=2, n_head=2, n_positions=12), TEXTS)
    gpt2.each(
        {"hidden_size": 12}, {"num_hidden_layers": 1}, {"num_attention_heads": 4}, {"n_inner": 6},
        {"layer_norm_epsilon": 0.1}, {"scale_attn_weights": False}, {"scale_attn_by_inverse_layer_idx": True}, {"is_causal": False},
        {"vocab_size": 21}, {"tie_word_embeddings": False})
    activations(gpt2, "activation_function", ())
    gpt2.case({"max_position_embeddings": 14}, same=True)
    gpt2.case({"n_embd": 99, "hidden_size": 8}, same=True)
    gpt2.case({"reorder_and_upcast_attn": True, "summary_type": "last", "n_ctx": 5, "n_inner": None, "resid_pdrop": 0.5}, same=True)
    tied(gpt2, "lm_head.weight", "transformer.wte.weight")

    bert = dict(
        vocab_size=19, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=10, max_position_embeddings=30)
    encoders = {}
    for name, head, table in (
        ("bert", "cls.predictions", "bert.embeddings.word_embeddings.weight"), ("roberta", "lm_head", "roberta.embeddings.word_embeddings.weight"),
    ):
        family = encoders[name] = Family(name, "masked_lm", bert, MASKED)
        family.each(
            {"vocab_size": 21}, {"hidden_size": 12}, {"num_hidden_layers": 2}, {"intermediate_size": 6}, {"num_attention_heads": 4},
            {"layer_norm_eps": 0.1}, {"tie_word_embeddings": False})
        activations(family, "hidden_act", ())
        family.case({"type_vocab_size": 1}, same=True)
        family.case({"hidden_dropout_prob": 0.5, "chunk_size_feed_forward": 0, "classifier_dropout": 0.3, "eos_token_id": 3}, same=True)
        tied(family, f"{head}.decoder.weight", table)
        family.case({}, add={f"{head}.decoder.bias": [19]})
        family.case({}, add={f"{head}.decoder.bias": [19]}, copies={f"{head}.decoder.bias": f"{head}.bias"}, same=True)
        family.case({}, add={f"{head}.decoder.bias": [19]}, remove=[f"{head}.bias"])
    encoders["bert"].case({"pad_token_id": 3}, same=True)
    # The padding's id is the first token's, and one in the middle.
    encoders["roberta"].each({"pad_token_id": 3}, {"pad_token_id": 11}, {"pad_token_id": 0}, {"pad_token_id": -1})
    distilbert = Family("distilbert", "masked_lm", dict(vocab_size=19, dim=8, n_layers=1, n_heads=2, hidden_dim=10, max_position_embeddings=12), MASKED)
    distilbert.each({"vocab_size": 21}, {"hidden_size": 12}, {"num_hidden_layers": 2}, {"num_attention_heads": 4}, {"hidden_dim": 6}, {"tie_word_embeddings": False})
    activations(distilbert, "activation", ())
    distilbert.case({"sinusoidal_pos_embds": True, "dropout": 0.5, "qa_dropout": 0.3, "seq_classif_dropout": 0.3}, same=True)
    tied(distilbert, "vocab_projector.weight", "distilbert.embeddings.word_embeddings.weight")

    t5 = dict(
        vocab_size=19, d_model=8, d_kv=3, d_ff=10, num_layers=1, num_decoder_layers=2, num_heads=2, relative_attention_num_buckets=4,
        relative_attention_max_distance=5, decoder_start_token_id=0)
    for name in ("t5", "mt5"):
        family = Family(name, "seq2seq_lm", t5, SOURCES)
        family.each(
            {"hidden_size": 12}, {"num_attention_heads": 3}, {"num_hidden_layers": 2}, {"head_dim": 5}, {"d_ff": 6}, {"num_decoder_layers": 1},
            {"relative_attention_num_buckets": 5}, {"relative_attention_num_buckets": 7, "relative_attention_max_distance": 9},
            {"relative_attention_num_buckets": 8}, {"layer_norm_epsilon": 0.1}, {"decoder_start_token_id": 5}, {"vocab_size": 21},
            {"feed_forward_proj": "gated-silu"}, {"feed_forward_proj": "gated-gelu" if name == "t5" else "relu"})
        activations(family, "feed_forward_proj", ())
        family.case({"dropout_rate": 0.5, "is_decoder": True, "eos_token_id": 4, "pad_token_id": 4, "classifier_dropout": 0.3}, same=True)
        family.case({"tie_word_embeddings": False}, same=name == "mt5")
        family.case({"tie_word_embeddings": False, "scale_decoder_outputs": True}, same=True)
        family.case({"scale_decoder_outputs": False}, same=name == "mt5")
        shape = family.tensors["shared.weight"]
        for own in ("lm_head.weight", "encoder.embed_tokens.weight", "decoder.embed_tokens.weight"):
            family.case({}, add={own: shape})
            family.case({}, add={own: shape}, copies={own: "shared.weight"}, same=True)
        family.case({"tie_word_embeddings": False}, add={"lm_head.weight": shape})
        family.case({}, add={"lm_head.weight": shape}, remove=["shared.weight"])
        family.case({}, add={"encoder.embed_tokens.weight": shape}, remove=["shared.weight"])
        family.write()

    bart = Family("bart", "seq2seq_lm", dict(
        vocab_size=19, d_model=8, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2, decoder_attention_heads=4, encoder_ffn_dim=10,
        decoder_ffn_dim=12, max_position_embeddings=12, pad_token_id=18, decoder_start_token_id=2), SOURCES)
    bart.each(
        {"hidden_size": 12}, {"num_attention_heads": 4}, {"num_hidden_layers": 2}, {"decoder_layers": 2}, {"decoder_attention_heads": 2},
        {"encoder_ffn_dim": 6}, {"decoder_ffn_dim": 6}, {"scale_embedding": True}, {"decoder_start_token_id": 5},
        {"vocab_size": 21}, {"tie_word_embeddings": False})
    activations(bart, "activation_function", ())
    bart.case({"max_position_embeddings": 14}, same=True)
    bart.case({"dropout": 0.5, "encoder_layerdrop": 0.5, "is_decoder": True, "forced_eos_token_id": 3, "bos_token_id": 4}, same=True)
    tied(bart, "lm_head.weight", "model.shared.weight")
    bart.case({}, add={"model.encoder.embed_tokens.weight": [19, 8]})

    for family in list(relatives.values()) + list(others.values()) + list(encoders.values()) + [gpt2, distilbert, bart]:
        family.write()
    for name in (*others, "llama", "mistral", "qwen2", "qwen3", "gpt2", "bert", "roberta", "distilbert", "t5", "mt5", "bart"):
        keys[name] = class_keys(transformers.models.auto.configuration_auto.CONFIG_MAPPING[name])
    (FOLDER / "configuration-keys.json").write_text(json.dumps(keys, separators=(",", ":")) + "\n")


def class_keys(configuration):
    """Every field of a class: its default, and whether it may be null."""
    fields = {}
    for field in dataclasses.fields(configuration):
        default = None if field.default is dataclasses.MISSING else field.default
        fields[field.name] = {"default": default, "null": "None" in str(field.type)}
    return {"keys": fields, "synonyms": configuration.attribute_map}


if __name__ == "__main__":
    main()
