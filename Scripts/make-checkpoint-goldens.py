#!/usr/bin/env python3
"""Makes Tests/GraftCheckpointsTests/Fixtures: files that other programs wrote and GraftCheckpoints must read or refuse.

Needs torch, safetensors, peft, transformers, huggingface_hub and h5py. The tests themselves need none of them.
"""

import hashlib
import json
import pathlib
import shutil
import struct
import zlib

import h5py
import numpy as np
import torch
from safetensors.torch import save_file

FIXTURES = pathlib.Path(__file__).parent.parent / "Tests/GraftCheckpointsTests/Fixtures"


def safetensors_files():
    """Every element type that torch can write, and the two-tensor vector."""
    save_file(
        {"b": torch.tensor([0.0, 1.0, 2.0]), "a": torch.tensor([[1, 2]])}, FIXTURES / "two.safetensors", {"format": "pt"}
    )
    names = "bool uint8 int8 int16 uint16 float16 bfloat16 int32 uint32 float32 complex64 float64 int64 uint64"
    eighths = "float8_e4m3fn float8_e5m2 float8_e8m0fnu float8_e4m3fnuz float8_e5m2fnuz"
    tensors = {}
    for index, name in enumerate((names + " " + eighths).split()):
        data = torch.arange(16, dtype=torch.uint8) % 2 if name == "bool" else torch.arange(16, dtype=torch.uint8) + index
        tensors[f"t.{name}"] = data.view(getattr(torch, name))
    tensors["scalar"] = torch.tensor(2.5)
    tensors["empty"] = torch.zeros(0, 3)
    tensors["名前"] = torch.tensor([1.0, -1.0], dtype=torch.bfloat16)
    save_file(tensors, FIXTURES / "types.safetensors", {"format": "pt"})


def sharded_model():
    """A tiny Llama in several shards, saved by transformers."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=11, hidden_size=8, intermediate_size=12, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=1, max_position_embeddings=16,
    )
    model = LlamaForCausalLM(config)
    for folder, size in [("sharded", "1KB"), ("single", "5GB")]:
        shutil.rmtree(FIXTURES / folder, ignore_errors=True)
        model.save_pretrained(FIXTURES / folder, max_shard_size=size)
    lines = []
    for name, tensor in model.state_dict().items():
        digest = hashlib.sha256(tensor.numpy().tobytes()).hexdigest()
        lines.append(f"{name} F32 {json.dumps(list(tensor.shape), separators=(',', ':'))} {digest}\n")
    digest = hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()
    sums = {name: float(tensor.double().sum()) for name, tensor in model.state_dict().items()}
    (FIXTURES / "model.json").write_text(json.dumps({"weights_sha256": digest, "sums": sums}, indent=1))
    return model


def peft_directory(model):
    """A DoRA adapter over that model, saved by PEFT."""
    import peft

    shutil.rmtree(FIXTURES / "peft", ignore_errors=True)
    config = peft.LoraConfig(r=2, lora_alpha=4, target_modules=["q_proj"], use_dora=True, task_type="CAUSAL_LM", init_lora_weights=False)
    adapted = peft.get_peft_model(model, config)
    adapted.save_pretrained(FIXTURES / "peft")
    (FIXTURES / "peft/README.md").unlink(missing_ok=True)


def pickles():
    """The PEFT adapter as PEFT pickled it of old, and a state dictionary of views of every kind."""
    from collections import OrderedDict

    from safetensors.torch import load_file

    folder = FIXTURES / "peft-pickled"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    shutil.copy(FIXTURES / "peft/adapter_config.json", folder)
    torch.save(load_file(FIXTURES / "peft/adapter_model.safetensors"), folder / "adapter_model.bin")
    run = torch.arange(24, dtype=torch.float32)
    state = OrderedDict(
        whole=run.reshape(4, 6), turned=run.reshape(4, 6).t(), part=run[5:11].reshape(2, 3), columns=run.reshape(4, 6)[:, 1:3],
        scalar=torch.tensor(2.5), empty=torch.zeros(0, 3), half=torch.tensor([1, -2], dtype=torch.float16),
        brain=torch.tensor([1, -2], dtype=torch.bfloat16), long=torch.tensor([1 << 40, -1]), truth=torch.tensor([True, False]),
    )
    state._metadata = OrderedDict({"": {"version": 1}})
    torch.save(state, FIXTURES / "views.bin")


def bytes_dataset(group, name, data):
    data = np.frombuffer(data, dtype=np.uint8)
    group.create_dataset(name, data=data, chunks=data.shape, fletcher32=True)


def fixed(text):
    return np.bytes_(text.encode())


def adapter(name, change=None, libver="v110", track_order=False):
    """A version 1 adapter file as h5py writes it, then changed by `change(file, adapter group)`."""
    tensors = {
        "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight": np.arange(16, dtype="<f4").reshape(2, 8) / 8,
        "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight": np.arange(16, dtype="<f2").reshape(8, 2) / 4,
        "prompt_embeddings": np.arange(4, dtype="<i8"),
    }
    types = {"float32": "F32", "float16": "F16", "int64": "I64"}
    entries, lines = [], []
    for key, data in tensors.items():
        entry = {"name": key, "dtype": types[data.dtype.name], "shape": list(data.shape), "sha256": hashlib.sha256(data.tobytes()).hexdigest()}
        entries.append(entry)
        shape = json.dumps(entry["shape"], separators=(",", ":"))
        lines.append(f"{key} {entry['dtype']} {shape} {entry['sha256']}\n")
    with h5py.File(FIXTURES / name, "w", libver=(libver, libver) if libver else None) as file:
        file.attrs["format"] = fixed("graft-adapter")
        file.attrs["format_version"] = np.uint32(1)
        file.attrs["generator"] = fixed("h5py")
        base = file.create_group("base")
        base.attrs["model_type"] = fixed("llama")
        base.attrs["hidden_size"] = np.uint32(8)
        group = file.create_group("adapters/default")
        group.attrs["method"] = fixed("lora")
        group.attrs["peft_type"] = fixed("LORA")
        group.attrs["task_type"] = fixed("CAUSAL_LM")
        group.attrs["num_tensors"] = np.uint32(len(tensors))
        group.attrs["num_parameters"] = np.uint64(sum(data.size for data in tensors.values()))
        group.attrs["content_sha256"] = fixed(hashlib.sha256("".join(sorted(lines)).encode()).hexdigest())
        bytes_dataset(group, "config", json.dumps({"peft_type": "LORA", "r": 2}).encode())
        bytes_dataset(group, "manifest", json.dumps(entries).encode())
        for key, data in tensors.items():
            parts = key.split(".")
            count = 2 if parts[-1] == "weight" else 1
            path = "/".join(["tensors"] + parts[:-count] + [".".join(parts[-count:])])
            dataset = group.create_dataset(path, data=data, chunks=data.shape, shuffle=True, compression="gzip", fletcher32=True)
            dataset.attrs["role"] = fixed(parts[-count])
        if change:
            change(file, group)


QUERY = "tensors/base_model/model/model/layers/0/self_attn/q_proj"


def adapters():
    adapter("h5py.h5")

    def replaced(**arguments):
        def change(file, group):
            data = group["tensors/prompt_embeddings"][()]
            del group["tensors/prompt_embeddings"]
            group["tensors"].create_dataset("prompt_embeddings", data=data, **arguments)
        return change

    def soft_link(file, group):
        group.move("tensors/prompt_embeddings", "elsewhere")
        group["tensors/prompt_embeddings"] = h5py.SoftLink("/adapters/default/elsewhere")

    def external_link(file, group):
        del group["tensors/prompt_embeddings"]
        group["tensors/prompt_embeddings"] = h5py.ExternalLink("h5py.h5", "/adapters/default/tensors/prompt_embeddings")

    def external_storage(file, group):
        del group["tensors/prompt_embeddings"]
        group["tensors"].create_dataset("prompt_embeddings", (4,), "<i8", external=[("other.bin", 0, 32)])

    def virtual(file, group):
        del group["tensors/prompt_embeddings"]
        layout = h5py.VirtualLayout((4,), "<i8")
        layout[:] = h5py.VirtualSource("h5py.h5", "/adapters/default/tensors/prompt_embeddings", (4,))
        group["tensors"].create_virtual_dataset("prompt_embeddings", layout)

    def wrong_data(file, group):
        group["tensors/prompt_embeddings"][0] = 7

    def wrong_shape(file, group):
        data = group["tensors/prompt_embeddings"][()].reshape(2, 2)
        del group["tensors/prompt_embeddings"]
        group["tensors"].create_dataset("prompt_embeddings", data=data, chunks=data.shape, fletcher32=True)

    def big_endian(file, group):
        del group["tensors/prompt_embeddings"]
        group["tensors"].create_dataset("prompt_embeddings", data=np.arange(4, dtype=">i8"), chunks=(4,))

    def bomb(file, group):
        del group["tensors/prompt_embeddings"]
        group["tensors"].create_dataset("prompt_embeddings", (1 << 40,), "<i8", chunks=(1 << 20,))

    def variable_string(file, group):
        group.attrs["content_sha256"] = "0" * 64

    def attribute(name, value):
        def change(file, group):
            (file if name in file.attrs else group).attrs[name] = value
        return change

    def missing(name):
        def change(file, group):
            del group[name]
        return change

    def config_text(data):
        def change(file, group):
            del group["config"]
            bytes_dataset(group, "config", data)
        return change

    def dense(file, group):
        for index in range(12):
            file.create_group(f"adapters/extra{index}")

    def dataset_for_group(file, group):
        del group["tensors"]
        group["tensors"] = np.arange(3)

    def heads(*shapes, **arguments):
        """Datasets of a head that are declared and never written, which takes no room in the file."""
        def change(file, group):
            for index, shape in enumerate(shapes):
                group.create_dataset(f"head/{index}", shape, "<f4", **{"chunks": (1 << 20,), **arguments})
        return change

    def config_bomb(file, group):
        del group["config"]
        group.create_dataset("config", (50 << 20,), "u1", chunks=(1 << 20,), fillvalue=ord(" "))

    def hard_link(file, group):
        group["head/again"] = group["tensors/prompt_embeddings"]

    def hard_linked_group(file, group):
        file["adapters/second"] = group

    def filter_twice(file, group):
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_chunk((4,))
        properties.set_deflate(4)
        properties.set_deflate(4)
        space = h5py.h5s.create_simple((4,))
        h5py.h5d.create(group.create_group("head").id, b"twice", h5py.h5t.IEEE_F32LE, space, properties)

    def chunk_expands(file, group):
        head = group.create_dataset("head/a", (1000,), "u1", chunks=(1000,), compression="gzip")
        head.id.write_direct_chunk((0,), zlib.compress(bytes(1_000_000)))

    refused = {
        "contiguous": replaced(), "lzf": replaced(chunks=(4,), compression="lzf"), "soft-link": soft_link,
        "external-link": external_link, "external-storage": external_storage, "virtual": virtual,
        "wrong-data": wrong_data, "wrong-shape": wrong_shape, "big-endian": big_endian, "bomb": bomb, "variable-string": variable_string,
        "version-2": attribute("format_version", np.uint32(2)), "other-format": attribute("format", fixed("adapter-h5")),
        "wrong-count": attribute("num_tensors", np.uint32(2)), "missing-tensor": missing("tensors/prompt_embeddings"),
        "missing-manifest": missing("manifest"), "missing-config": missing("config"), "config-not-json": config_text(b"{'r': 2}"),
        "config-not-utf8": config_text(b'{"r": "\xff"}'), "dense": dense, "dataset-for-group": dataset_for_group,
        "bomb-in-head": heads((1 << 25,)), "bomb-in-parts": heads((7 << 20,), (7 << 20,), (7 << 20,)), "bomb-in-config": config_bomb,
        "bomb-of-chunks": heads((1 << 20,), chunks=(1,)), "bomb-in-chunk": chunk_expands, "filter-twice": filter_twice,
        "hard-link": hard_link, "hard-linked-group": hard_linked_group,
    }
    for name, change in refused.items():
        adapter(f"refused-{name}.h5", change)
    adapter("refused-old-style.h5", libver=None)


FIXTURES.mkdir(parents=True, exist_ok=True)
safetensors_files()
peft_directory(sharded_model())
pickles()
adapters()
