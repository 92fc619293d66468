"""The models that are measured: shapes of small and well-known models with random weights, made from a fixed seed by the standard library.

A checkpoint is what Transformers and Graft both load: `config.json` and `model.safetensors` in float32. Speed does not depend on the
values, so that one block of normal numbers, of a length that no matrix divides, fills every matrix from a place of its own.
"""

import json
import math
import random
import struct
from array import array
from dataclasses import dataclass
from pathlib import Path

BLOCK_LENGTH = 1_000_003
DEVIATION = 0.02


@dataclass(frozen=True)
class Preset:
    """A shape and the batch that it is trained with."""

    title: str
    config: dict
    batch: int
    length: int
    warmup: int
    steps: int

    @property
    def family(self):
        return self.config["model_type"]

    def shapes(self):
        """The tensors by name."""
        return {"gpt2": _gpt2, "mamba": _mamba}.get(self.family, _llama)(self.config)

    def parameters(self):
        return sum(math.prod(shape) for shape in self.shapes().values())

    def read_per_token(self):
        """The weights that one generated token reads: all but tables of which it reads a row."""
        tables = ["transformer.wpe.weight"] + ([] if self.config["tie_word_embeddings"] else ["model.embed_tokens.weight"])
        return sum(math.prod(shape) for name, shape in self.shapes().items() if name not in tables)


def _llama_config(hidden, layers, heads, inner, vocabulary):
    return dict(
        architectures=["LlamaForCausalLM"], model_type="llama", vocab_size=vocabulary, hidden_size=hidden, intermediate_size=inner,
        num_hidden_layers=layers, num_attention_heads=heads, num_key_value_heads=heads, max_position_embeddings=1024, rms_norm_eps=1e-6,
        rope_theta=10000.0, hidden_act="silu", tie_word_embeddings=False, bos_token_id=1, eos_token_id=2)


PRESETS = {
    "nano": Preset("Llama, 1.2 M", _llama_config(128, 4, 4, 512, 512), 16, 128, 3, 20),
    "tiny": Preset("Llama, 8.4 M", _llama_config(256, 6, 8, 1024, 4096), 8, 256, 2, 6),
    "gpt2": Preset("GPT-2, 124 M", dict(
        architectures=["GPT2LMHeadModel"], model_type="gpt2", vocab_size=50257, n_embd=768, n_layer=12, n_head=12, n_positions=1024,
        activation_function="gelu_new", layer_norm_epsilon=1e-5, attn_pdrop=0.0, embd_pdrop=0.0, resid_pdrop=0.0,
        tie_word_embeddings=True, bos_token_id=50256, eos_token_id=50256), 2, 512, 1, 3),
    "qwen05": Preset("Qwen2.5's shape, 494 M", dict(
        architectures=["Qwen2ForCausalLM"], model_type="qwen2", vocab_size=151936, hidden_size=896, intermediate_size=4864,
        num_hidden_layers=24, num_attention_heads=14, num_key_value_heads=2, max_position_embeddings=32768, rms_norm_eps=1e-6,
        rope_theta=1000000.0, hidden_act="silu", tie_word_embeddings=True, use_sliding_window=False, bos_token_id=151643,
        eos_token_id=151645), 1, 512, 1, 3),
    "mixtral": Preset("Mixtral, 8 experts of which 2, 22.6 M", _llama_config(256, 6, 8, 512, 4096) | dict(
        architectures=["MixtralForCausalLM"], model_type="mixtral", num_local_experts=8, num_experts_per_tok=2), 8, 256, 2, 6),
    "mamba": Preset("Mamba, 3.7 M", dict(
        architectures=["MambaForCausalLM"], model_type="mamba", vocab_size=4096, hidden_size=256, num_hidden_layers=6, state_size=16,
        expand=2, intermediate_size=512, conv_kernel=4, time_step_rank=16, use_bias=False, use_conv_bias=True, layer_norm_epsilon=1e-5,
        tie_word_embeddings=True, bos_token_id=1, eos_token_id=2, pad_token_id=0), 8, 256, 2, 6),
}
# Presets that are there for their bases: they are trained with LoRA on these layers alone.
SPECIAL = {"mixtral": ["q_proj", "v_proj"], "mamba": ["in_proj", "x_proj"]}


def _llama(config):
    hidden, inner, vocabulary = config["hidden_size"], config["intermediate_size"], config["vocab_size"]
    narrow = hidden // config["num_attention_heads"] * config["num_key_value_heads"]
    shapes = {"model.embed_tokens.weight": (vocabulary, hidden)}
    for layer in range(config["num_hidden_layers"]):
        prefix = f"model.layers.{layer}."
        shapes |= {prefix + "input_layernorm.weight": (hidden,), prefix + "post_attention_layernorm.weight": (hidden,)}
        for name, rows, columns in [("q", hidden, hidden), ("k", narrow, hidden), ("v", narrow, hidden), ("o", hidden, hidden)]:
            shapes[f"{prefix}self_attn.{name}_proj.weight"] = (rows, columns)
            if config["model_type"] == "qwen2" and name != "o":
                shapes[f"{prefix}self_attn.{name}_proj.bias"] = (rows,)
        if experts := config.get("num_local_experts"):
            shapes[f"{prefix}block_sparse_moe.gate.weight"] = (experts, hidden)
            for expert in range(experts):
                for name, rows, columns in [("w1", inner, hidden), ("w2", hidden, inner), ("w3", inner, hidden)]:
                    shapes[f"{prefix}block_sparse_moe.experts.{expert}.{name}.weight"] = (rows, columns)
            continue
        for name, rows, columns in [("gate", inner, hidden), ("up", inner, hidden), ("down", hidden, inner)]:
            shapes[f"{prefix}mlp.{name}_proj.weight"] = (rows, columns)
    shapes["model.norm.weight"] = (hidden,)
    if not config["tie_word_embeddings"]:
        shapes["lm_head.weight"] = (vocabulary, hidden)
    return shapes


def _gpt2(config):
    hidden = config["n_embd"]
    shapes = {"transformer.wte.weight": (config["vocab_size"], hidden), "transformer.wpe.weight": (config["n_positions"], hidden)}
    for layer in range(config["n_layer"]):
        prefix = f"transformer.h.{layer}."
        for norm in ["ln_1", "ln_2"]:
            shapes |= {f"{prefix}{norm}.weight": (hidden,), f"{prefix}{norm}.bias": (hidden,)}
        products = [("attn.c_attn", hidden, 3 * hidden), ("attn.c_proj", hidden, hidden), ("mlp.c_fc", hidden, 4 * hidden),
                    ("mlp.c_proj", 4 * hidden, hidden)]
        for name, inputs, outputs in products:
            shapes |= {f"{prefix}{name}.weight": (inputs, outputs), f"{prefix}{name}.bias": (outputs,)}
    return shapes | {"transformer.ln_f.weight": (hidden,), "transformer.ln_f.bias": (hidden,)}


def _mamba(config):
    hidden, inner, state, rank = config["hidden_size"], config["intermediate_size"], config["state_size"], config["time_step_rank"]
    shapes = {"backbone.embeddings.weight": (config["vocab_size"], hidden), "backbone.norm_f.weight": (hidden,)}
    for layer in range(config["num_hidden_layers"]):
        prefix = f"backbone.layers.{layer}."
        shapes[prefix + "norm.weight"] = (hidden,)
        shapes |= {f"{prefix}mixer.{name}": shape for name, shape in {
            "A_log": (inner, state), "D": (inner,), "in_proj.weight": (2 * inner, hidden), "conv1d.weight": (inner, 1, config["conv_kernel"]),
            "conv1d.bias": (inner,), "x_proj.weight": (rank + 2 * state, inner), "dt_proj.weight": (inner, rank), "dt_proj.bias": (inner,),
            "out_proj.weight": (hidden, inner)}.items()}
    return shapes


def checkpoint(name, folder):
    """The preset's directory below `folder`, made if it is not there."""
    preset, directory = PRESETS[name], Path(folder) / name
    if (directory / "config.json").exists():
        return directory
    directory.mkdir(parents=True, exist_ok=True)
    _write_weights(preset.shapes(), directory / "model.safetensors")
    (directory / "config.json").write_text(json.dumps(preset.config | {"torch_dtype": "float32"}, indent=2) + "\n")
    return directory


def _write_weights(shapes, path):
    generator = random.Random(20)
    block = array("f", (generator.gauss(0, DEVIATION) for _ in range(BLOCK_LENGTH))).tobytes()
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in shapes.items():
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [offset, offset + 4 * math.prod(shape)]}
        offset += 4 * math.prod(shape)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name, shape in shapes.items():
            if len(shape) == 1:
                file.write(array("f", [0.0 if name.endswith("bias") else 1.0]).tobytes() * shape[0])
                continue
            left, start = 4 * math.prod(shape), 4 * generator.randrange(BLOCK_LENGTH)
            while left > 0:
                part = block[start:start + left]
                file.write(part)
                left, start = left - len(part), 0


def synthetic_ids(count, vocabulary):
    """The token ids that `graft bench` makes."""
    x, ids = 1, []
    for _ in range(count):
        x = (1103515245 * x + 12345) & 0x7FFFFFFF
        ids.append((x >> 8) % vocabulary)
    return ids
