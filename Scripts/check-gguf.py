#!/usr/bin/env python3
"""Checks the GGUF files that graft writes with llama.cpp's own reader.

Needs gguf, numpy, torch, safetensors and transformers, a built graft, and checkpoints of small models with PEFT adapters:

    python3 Scripts/check-gguf.py --graft .build/release/graft --cases DIR [--fixtures]

DIR holds one folder for each family (llama, llama3, mistral, qwen2, qwen3, gpt2), with a checkpoint in `model` and PEFT adapters in
`adapters`. Every tensor of a merged model must equal the checkpoint's after the documented permutation, every metadata key what the
configuration and the tokenizer say; of an adapter, `alpha / r * B A` must equal PEFT's own delta.

`--fixtures` also writes the small fixtures of the unit tests.
"""

import argparse
import json
import math
import pathlib
import subprocess
import sys
import tempfile

import gguf
import numpy as np
import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer

FAMILIES = {"llama": "llama", "llama3": "llama", "mistral": "llama", "qwen2": "qwen2", "qwen3": "qwen3", "gpt2": "gpt2"}
FIXTURES = pathlib.Path(__file__).parent.parent / "Tests/GraftCheckpointsTests/Fixtures"


class Failure(Exception):
    pass


def require(condition, message):
    if not condition:
        raise Failure(message)


def run(graft, *arguments, fails=False):
    result = subprocess.run([graft, *map(str, arguments)], capture_output=True, text=True)
    require((result.returncode != 0) == fails, f"graft {' '.join(map(str, arguments))}: {result.stderr.strip()}")
    return result.stderr


def interleave(weight, heads):
    """Rows from (head, 2, size / 2) to (head, size / 2, 2)."""
    return weight.reshape(heads, 2, weight.shape[0] // heads // 2, *weight.shape[1:]).swapaxes(1, 2).reshape(weight.shape)


def names(architecture, layers):
    """llama.cpp's own table of names."""
    table = gguf.get_tensor_name_map({"llama": gguf.MODEL_ARCH.LLAMA, "qwen2": gguf.MODEL_ARCH.QWEN2, "qwen3": gguf.MODEL_ARCH.QWEN3, "gpt2": gguf.MODEL_ARCH.GPT2}[architecture], layers)
    return lambda module: table.get_name(module)


def heads(config, module):
    if module.endswith("q_proj"):
        return config["num_attention_heads"]
    return config["num_key_value_heads"] if module.endswith("k_proj") else None


def tensor(entry):
    data = np.array(entry.data)
    if entry.tensor_type == gguf.GGMLQuantizationType.BF16:
        data = (data.view(np.uint16).astype(np.uint32) << 16).view(np.float32).reshape(list(reversed(entry.shape.tolist())))
    return data.astype(np.float32)


def weights(folder):
    single = folder / "model.safetensors"
    files = [single] if single.exists() else sorted(folder.glob("model-*.safetensors"))
    return {name: value for file in files for name, value in load_file(file).items()}


def check_model(graft, family, case, work, dtype):
    architecture, config = FAMILIES[family], json.loads((case / "model/config.json").read_text())
    path = work / "model.gguf"
    run(graft, "merge", "--model", case / "model", "--output", path, "--format", "gguf", "--dtype", dtype)
    reader = gguf.GGUFReader(path)
    value = lambda key: reader.get_field(key).contents() if reader.get_field(key) else None
    written = {entry.name: entry for entry in reader.tensors}
    layers = config.get("num_hidden_layers", config.get("n_layer"))
    named = names(architecture, layers)
    expected = set()
    for name, weight in weights(case / "model").items():
        module, _, kind = name.rpartition(".")
        if name == "lm_head.weight" and config.get("tie_word_embeddings"):
            continue
        found = named(module)
        if found is None or name.endswith((".attn.bias", ".attn.masked_bias")):
            continue
        found = f"{found}.{kind}"
        expected.add(found)
        array = weight.float().numpy()
        if architecture == "gpt2" and weight.ndim == 2 and any(part in module for part in ("c_attn", "c_proj", "c_fc")):
            array = array.T
        if architecture == "llama" and heads(config, module):
            array = interleave(array, heads(config, module))
        require(found in written, f"{found} is not written")
        entry = written[found]
        if weight.ndim == 1 or found.startswith("position_embd"):
            require(entry.tensor_type == gguf.GGMLQuantizationType.F32, f"{found} is {entry.tensor_type.name}")
        elif dtype == "float16":
            array = torch.from_numpy(array.copy()).half().float().numpy()
        elif dtype == "bfloat16":
            array = torch.from_numpy(array.copy()).bfloat16().float().numpy()
        require(np.array_equal(tensor(entry), array), f"{found} differs from {name}")
    rope = config.get("rope_scaling") or {}
    if rope.get("rope_type") == "llama3":
        expected.add("rope_freqs.weight")
        size = config["head_dim"]
        factors = []
        for index in range(0, size, 2):
            frequency = config["rope_theta"] ** (-index / size)
            wavelength, original = 2 * math.pi / frequency, rope["original_max_position_embeddings"]
            low, high, factor = rope["low_freq_factor"], rope["high_freq_factor"], rope["factor"]
            if wavelength < original / high:
                factors.append(1)
            elif wavelength > original / low:
                factors.append(factor)
            else:
                smooth = (original / wavelength - low) / (high - low)
                factors.append(1 / ((1 - smooth) / factor + smooth))
        require(np.allclose(tensor(written["rope_freqs.weight"]), factors, rtol=1e-5), "rope_freqs.weight differs")
    require(set(written) == expected, f"{sorted(set(written) ^ expected)[:4]} are too many or too few")

    theta = config.get("rope_theta") or (config.get("rope_parameters") or {}).get("rope_theta")
    keys = {
        "general.architecture": architecture, "general.type": "model", f"{architecture}.vocab_size": config["vocab_size"],
        f"{architecture}.block_count": layers, f"{architecture}.embedding_length": config.get("hidden_size", config.get("n_embd")),
        f"{architecture}.context_length": config.get("max_position_embeddings", config.get("n_positions")),
        f"{architecture}.feed_forward_length": config.get("intermediate_size") or 4 * config.get("n_embd", 0),
        f"{architecture}.attention.head_count": config.get("num_attention_heads", config.get("n_head")),
        "general.file_type": {"float32": 0, "float16": 1, "bfloat16": 32}[dtype],
    }
    if architecture == "gpt2":
        keys["gpt2.attention.layer_norm_epsilon"] = config["layer_norm_epsilon"]
    else:
        size = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
        keys |= {
            f"{architecture}.attention.head_count_kv": config["num_key_value_heads"], f"{architecture}.rope.freq_base": theta,
            f"{architecture}.attention.layer_norm_rms_epsilon": config["rms_norm_eps"], f"{architecture}.attention.key_length": size,
            f"{architecture}.attention.value_length": size, f"{architecture}.rope.dimension_count": size,
        }
    for key, wanted in keys.items():
        found = value(key)
        same = abs(found - wanted) <= 1e-6 * abs(wanted) if isinstance(wanted, float) and found is not None else found == wanted
        require(same, f"{key} is {found}, expected {wanted}")
    check_tokenizer(case / "model", config, value)
    return f"{len(written)} tensors"


def check_tokenizer(folder, config, value):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokens, types = value("tokenizer.ggml.tokens"), value("tokenizer.ggml.token_type")
    vocabulary = tokenizer.get_vocab()
    require(len(tokens) == len(types) == config["vocab_size"], f"{len(tokens)} tokens")
    for token, index in vocabulary.items():
        require(tokens[index] == token, f"token {index} is {tokens[index]!r}, expected {token!r}")
    for index in range(len(tokens)):
        special = tokens[index] in tokenizer.all_special_tokens or index in tokenizer.added_tokens_decoder and tokenizer.added_tokens_decoder[index].special
        allowed = {2, 3} if special else {5} if tokens[index] not in vocabulary else {4} if index in tokenizer.added_tokens_decoder else {1, 6}
        require(types[index] in allowed, f"token {index} {tokens[index]!r} has type {types[index]}")
    for kind, index in [("bos", tokenizer.bos_token_id), ("eos", tokenizer.eos_token_id), ("padding", tokenizer.pad_token_id)]:
        if index is not None:
            require(value(f"tokenizer.ggml.{kind}_token_id") == index, f"{kind} is {value(f'tokenizer.ggml.{kind}_token_id')}, expected {index}")
    ids = tokenizer("a").input_ids
    require(value("tokenizer.ggml.add_bos_token") == (tokenizer.bos_token_id is not None and ids[0] == tokenizer.bos_token_id), "add_bos_token")
    require(value("tokenizer.chat_template") == tokenizer.chat_template, "chat_template")
    model = json.loads((folder / "tokenizer.json").read_text())["model"]
    pairs = [merge if isinstance(merge, list) else merge.split(" ") for merge in model["merges"]]
    if value("tokenizer.ggml.model") == "gpt2":
        require(value("tokenizer.ggml.merges") == [" ".join(pair) for pair in pairs], "merges differ")
        require(value("tokenizer.ggml.pre") in ("gpt-2", "llama-bpe", "qwen2"), "tokenizer.ggml.pre")
    else:
        scores = value("tokenizer.ggml.scores")
        ranked = [scores[vocabulary[a + b]] for a, b in pairs]
        require(all(x > y for x, y in zip(ranked, ranked[1:])), "scores do not order the merges")


def scale_of(config, module):
    def of(pattern, usual):
        return next((value for key, value in config.get(pattern, {}).items() if module.endswith("." + key)), usual)

    rank, alpha = of("rank_pattern", config["r"]), of("alpha_pattern", config["lora_alpha"])
    return alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)


def make_adapter(case, folder):
    """An adapter of an embedding and of modules with ranks and scales of their own."""
    import peft
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    config = peft.LoraConfig(
        r=4, lora_alpha=6, target_modules=["embed_tokens", "q_proj", "k_proj", "up_proj"], rank_pattern={"k_proj": 2}, alpha_pattern={"up_proj": 5},
        task_type="CAUSAL_LM", init_lora_weights=False)
    peft.get_peft_model(AutoModelForCausalLM.from_pretrained(case / "model", dtype=torch.float32), config).save_pretrained(folder, save_embedding_layers=False)
    return folder


def check_adapter(graft, family, case, adapter, work):
    architecture, model = FAMILIES[family], json.loads((case / "model/config.json").read_text())
    config = json.loads((adapter / "adapter_config.json").read_text())
    path = work / "adapter.gguf"
    plain = config["peft_type"] == "LORA" and not config.get("use_dora") and config.get("bias", "none") == "none" and not config.get("modules_to_save")
    complaint = run(graft, "export", adapter, "--format", "gguf", "--model", case / "model", "--output", path, fails=not plain)
    if not plain:
        require("merge" in complaint and complaint.startswith("error: ") and not path.exists(), f"an odd refusal: {complaint}")
        return "refused"
    reader = gguf.GGUFReader(path)
    written = {entry.name: tensor(entry) for entry in reader.tensors}
    value = lambda key: reader.get_field(key).contents()
    require((value("general.type"), value("adapter.type"), value("general.architecture")) == ("adapter", "lora", architecture), "kinds")
    named = names(architecture, model.get("num_hidden_layers", model.get("n_layer")))
    stored = {name: weight.double().numpy() for name, weight in load_file(adapter / "adapter_model.safetensors").items()}
    expected, worst = set(), 0
    for name, a in stored.items():
        for end, other, embedding in [(".lora_A.weight", ".lora_B.weight", False), (".lora_embedding_A", ".lora_embedding_B", True)]:
            if not name.endswith(end):
                continue
            path_ = name.removesuffix(end)
            module = path_.removeprefix("base_model.model.")
            b, base = stored[path_ + other], named(module)
            expected |= {f"{base}.weight.lora_a", f"{base}.weight.lora_b"}
            left, right = written[f"{base}.weight.lora_a"].astype(np.float64), written[f"{base}.weight.lora_b"].astype(np.float64)
            if embedding:
                left = left.T
            require(left.shape == a.shape and right.shape == b.shape, f"{base} has other shapes")
            # What llama.cpp adds: alpha over the rank, which it reads from the second factor.
            found = value("adapter.lora.alpha") / right.shape[1] * right @ left
            wanted = scale_of(config, module) * b @ a
            if architecture == "llama" and heads(model, module):
                wanted = interleave(wanted, heads(model, module))
            worst = max(worst, float(np.abs(found - wanted).max() / max(np.abs(wanted).max(), 1e-12)))
    require(set(written) == expected, f"{sorted(set(written) ^ expected)[:4]} are too many or too few")
    require(worst < 1e-6, f"deltas differ by {worst:.1e}")
    return f"{len(written)} tensors, max relative {worst:.1e}"


def make_fixtures():
    """An adapter as llama.cpp's own library writes it, and a file of every kind of value."""
    writer = gguf.GGUFWriter(FIXTURES / "lora.gguf", "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", 16)
    writer.add_tensor("blk.0.attn_q.weight.lora_a", np.arange(8, dtype=np.float32).reshape(2, 4))
    writer.add_tensor("blk.0.attn_q.weight.lora_b", np.arange(12, dtype=np.float32).reshape(6, 2))
    finish(writer)
    writer = gguf.GGUFWriter(FIXTURES / "values.gguf", "other")
    for kind, number in [("uint8", 200), ("int8", -3), ("uint16", 60000), ("int16", -300), ("uint32", 1 << 31), ("int32", -70000), ("uint64", 1 << 40), ("int64", -5)]:
        getattr(writer, f"add_{kind}")(f"a.{kind}", number)
    writer.add_float32("a.float32", 0.5)
    writer.add_float64("a.float64", 0.1)
    writer.add_bool("a.bool", True)
    writer.add_string("a.string", "é")
    writer.add_array("a.strings", ["one", "", "three"])
    writer.add_array("a.integers", [1, -2, 3])
    writer.add_array("a.floats", [0.5, 1.5])
    writer.add_custom_alignment(64)
    writer.add_tensor("half", np.arange(6, dtype=np.float16).reshape(2, 3))
    writer.add_tensor("bytes", np.arange(3, dtype=np.int8))
    writer.add_tensor("blocks", np.zeros((2, 34), dtype=np.uint8), raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    finish(writer)


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graft", default=".build/release/graft")
    parser.add_argument("--cases", type=pathlib.Path)
    parser.add_argument("--fixtures", action="store_true")
    options = parser.parse_args()
    if options.fixtures:
        make_fixtures()
    graft = str(pathlib.Path(options.graft).resolve())
    passes = failures = 0
    for family in FAMILIES if options.cases else []:
        case = options.cases / family
        checks = [(f"{family}/{dtype}", lambda work, dtype=dtype: check_model(graft, family, case, work, dtype)) for dtype in ("float32", "bfloat16", "float16")]
        for adapter in sorted(case.glob("adapters/*")):
            checks.append((f"{family}/{adapter.name}", lambda work, adapter=adapter: check_adapter(graft, family, case, adapter, work)))
        if family != "gpt2":
            checks.append((f"{family}/patterns", lambda work: check_adapter(graft, family, case, make_adapter(case, work / "adapter"), work)))
        for title, check in checks:
            with tempfile.TemporaryDirectory(prefix="gguf-") as work:
                try:
                    print("ok  ", title, check(pathlib.Path(work)), flush=True)
                    passes += 1
                except Failure as failure:
                    print("FAIL", title, failure, flush=True)
                    failures += 1
    print(f"{passes} passed, {failures} failed")
    sys.exit(failures > 0)


if __name__ == "__main__":
    main()
