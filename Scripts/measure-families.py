#!/usr/bin/env python3
"""Trains LoRA on a tiny model of every family for a few steps and says what it cost, as the table of Documentation/Families.md.

    python3 Scripts/measure-families.py .build/release/graft [--steps 12] [--only llama,mamba]

Needs nothing but Python 3.9. Models have random weights; every family has the same width, depth and vocabulary.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WIDTH, LAYERS, HEADS, MIDDLE, VOCABULARY, LENGTH, ROWS = 256, 4, 8, 512, 1442, 256, 8

DECODER = {
    "vocab_size": VOCABULARY, "hidden_size": WIDTH, "intermediate_size": MIDDLE, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS,
    "num_key_value_heads": 2, "head_dim": 32, "max_position_embeddings": 512, "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 1,
}
MIXTURE = {"num_local_experts": 8, "num_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": MIDDLE // 2}
LATENT = {
    "kv_lora_rank": 64, "q_lora_rank": None, "qk_rope_head_dim": 16, "qk_nope_head_dim": 32, "v_head_dim": 32, "n_routed_experts": 8,
    "n_shared_experts": 1, "num_experts_per_tok": 2, "moe_intermediate_size": MIDDLE // 2, "first_k_dense_replace": 1, "n_group": 2, "topk_group": 1,
    "num_key_value_heads": HEADS,
}
GPT = {"vocab_size": VOCABULARY, "n_embd": WIDTH, "n_layer": LAYERS, "n_head": HEADS, "n_positions": 512}
ENCODER = {
    "vocab_size": VOCABULARY, "hidden_size": WIDTH, "intermediate_size": MIDDLE, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS,
    "max_position_embeddings": 514, "pad_token_id": 1,
}
T5 = {
    "vocab_size": VOCABULARY, "d_model": WIDTH, "d_kv": 32, "d_ff": MIDDLE, "num_layers": LAYERS, "num_heads": HEADS, "pad_token_id": 0,
    "decoder_start_token_id": 0,
}
FAMILIES = {
    "bart": {
        "vocab_size": VOCABULARY, "d_model": WIDTH, "encoder_layers": LAYERS, "decoder_layers": LAYERS, "encoder_attention_heads": HEADS,
        "decoder_attention_heads": HEADS, "encoder_ffn_dim": MIDDLE, "decoder_ffn_dim": MIDDLE, "max_position_embeddings": 512, "pad_token_id": 1,
    },
    "bert": ENCODER,
    "bloom": {"vocab_size": VOCABULARY, "hidden_size": WIDTH, "n_layer": LAYERS, "n_head": HEADS},
    "deepseek_v2": {**DECODER, **LATENT},
    "deepseek_v3": {**DECODER, **LATENT},
    "distilbert": {
        "vocab_size": VOCABULARY, "dim": WIDTH, "hidden_dim": MIDDLE, "n_layers": LAYERS, "n_heads": HEADS, "max_position_embeddings": 512,
        "pad_token_id": 1,
    },
    "gemma": DECODER,
    "gemma2": {**DECODER, "sliding_window": 64},
    "gemma3_text": {**DECODER, "sliding_window": 64, "sliding_window_pattern": 2},
    "glm": DECODER,
    "glm4": DECODER,
    "gpt2": GPT,
    "gpt_oss": {**DECODER, **MIXTURE, "intermediate_size": MIDDLE // 2, "sliding_window": 64},
    "granite": DECODER,
    "llama": DECODER,
    "mamba": {"vocab_size": VOCABULARY, "hidden_size": WIDTH, "num_hidden_layers": LAYERS, "state_size": 16},
    "mamba2": {
        "vocab_size": VOCABULARY, "hidden_size": WIDTH, "num_hidden_layers": LAYERS, "num_heads": 8, "head_dim": 64, "state_size": 64, "n_groups": 1,
    },
    "mistral": {**DECODER, "sliding_window": 64},
    "mixtral": {**DECODER, **MIXTURE, "intermediate_size": MIDDLE // 2},
    "mt5": {**T5, "feed_forward_proj": "gated-gelu"},
    "olmo2": DECODER,
    "openai-gpt": GPT,
    "phi3": DECODER,
    "qwen": {**DECODER, "intermediate_size": 2 * MIDDLE},
    "qwen2": DECODER,
    "qwen2_moe": {**DECODER, **MIXTURE, "shared_expert_intermediate_size": MIDDLE // 2},
    "qwen3": DECODER,
    "qwen3_moe": {**DECODER, **MIXTURE},
    "roberta": ENCODER,
    "rwkv": {"vocab_size": VOCABULARY, "hidden_size": WIDTH, "num_hidden_layers": LAYERS},
    "rwkv5": {"vocab_size": VOCABULARY, "hidden_size": WIDTH, "num_hidden_layers": LAYERS, "head_size": 32},
    "rwkv6": {"vocab_size": VOCABULARY, "hidden_size": WIDTH, "num_hidden_layers": LAYERS, "head_size": 32},
    "rwkv7": {
        "vocab_size": VOCABULARY, "hidden_size": WIDTH, "num_hidden_layers": LAYERS, "head_dim": 32, "decay_low_rank_dim": 32, "a_low_rank_dim": 32,
        "v_low_rank_dim": 16, "gate_low_rank_dim": 32,
    },
    "t5": T5,
    "transformer": {"vocab_size": VOCABULARY, "d_model": WIDTH, "d_ff": MIDDLE, "num_layers": LAYERS, "num_heads": HEADS},
}
MASKED = {"bert", "roberta", "distilbert"}
PAIRED = {"bart", "t5", "mt5", "transformer"}


def records(kind):
    """Enough text of known length: words of a pseudo-random order."""
    state, lines = 1, []
    for _ in range(64):
        words = []
        for _ in range(LENGTH):
            state = (1103515245 * state + 12345) % 2**31
            words.append(["one", "two", "three", "four", "red", "green", "blue", "left", "right", "up", "down", "in"][(state >> 16) % 12])
        text = " ".join(words)
        half = " ".join(words[: LENGTH // 2])
        lines.append({"source": half, "target": half} if kind == "seq2seq_lm" else {"text": text})
    return "".join(json.dumps(line) + "\n" for line in lines)


def measure(graft, name, steps):
    task = "masked_lm" if name in MASKED else "seq2seq_lm" if name in PAIRED else "causal_lm"
    tokenizer = {"masked_lm": "Data/tokenizers/wordpiece", "seq2seq_lm": "Data/tokenizers/unigram"}.get(task, "Data/models/seedling")
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder, "data.jsonl")
        data.write_text(records(task))
        length = LENGTH // 2 if task == "seq2seq_lm" else LENGTH
        recipe = {
            "model": {"tokenizer": str(ROOT / tokenizer), "config": {"model_type": name, **FAMILIES[name]}},
            "task": task,
            "method": {"peft_type": "LORA", "r": 8},
            "data": {"train": str(data), "max_length": length, "packing": task == "causal_lm"},
            "training": {"max_steps": steps, "batch_size": ROWS, "logging_steps": steps},
            "report": {"html": False, "tensorboard": False},
        }
        path = Path(folder, "recipe.yaml")
        path.write_text(json.dumps(recipe))
        run = subprocess.run([graft, "train", path, "--output", f"{folder}/run", "--quiet"], capture_output=True, text=True)
        if run.returncode != 0:
            sys.exit(f"{name}: {run.stderr.strip()}")
        return json.loads(Path(folder, "run", "summary.json").read_text())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("graft", nargs="?", default="graft")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    names = [name for name in FAMILIES if not options.only or name in options.only.split(",")]
    print("| `model_type` | parameters | trained | tokens/s | peak memory |")
    print("| --- | --- | --- | --- | --- |")
    for name in names:
        summary = measure(options.graft, name, options.steps)
        print(
            f"| `{name}` | {summary['total_parameters'] / 1e6:.2f} M | {summary['trainable_parameters'] / 1e3:.0f} k "
            f"| {summary['tokens_per_second']:,.0f} | {summary['peak_memory_bytes'] / 1e6:.0f} MB |", flush=True)


if __name__ == "__main__":
    main()
