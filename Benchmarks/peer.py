"""PyTorch, Transformers and PEFT doing what `graft bench` and `graft train` do: one measurement a process, one JSON line.

    python Benchmarks/peer.py train --preset tiny --method lora --precision fp32 --model DIR
    python Benchmarks/peer.py generate --preset tiny --precision bf16-weights --model DIR
    python Benchmarks/peer.py sft --model DIR --data FILE --precision fp32

A step is forward, loss over every label, backward, clipping to 1 and fused AdamW. `bf16` is autocast over float32 weights, `bf16-weights`
a frozen base that is held in bfloat16. PEFT has no bottleneck adapters; those of Pfeiffer et al., one a block, are a few lines below.
"""

import argparse
import contextlib
import importlib.util
import json
import os
import resource
import statistics
import time

import torch
import transformers

from presets import PRESETS, SPECIAL, synthetic_ids

LINEAR_LAYERS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
# family: layers of LoRA, all linear layers, scaled layers, those scaled at their input, the blocks
TARGETS = {
    "llama": (["q_proj", "v_proj"], LINEAR_LAYERS, ["k_proj", "v_proj", "down_proj"], ["down_proj"], "model.layers"),
    "gpt2": (["c_attn"], ["c_attn", "c_proj", "c_fc"], ["c_attn", "mlp.c_proj"], ["mlp.c_proj"], "transformer.h"),
}
TARGETS["qwen2"] = TARGETS["llama"]
TARGETS |= {name: (layers, [], [], [], "") for name, layers in SPECIAL.items()}
REDUCTION = 16


class Bottleneck(torch.nn.Module):
    """`y + up(relu(down(y)))` of a block's output, the sum of its feed-forward and the residual."""

    def __init__(self, width):
        super().__init__()
        self.down, self.up = torch.nn.Linear(width, width // REDUCTION), torch.nn.Linear(width // REDUCTION, width)
        for linear in [self.down, self.up]:
            torch.nn.init.normal_(linear.weight, std=0.02)
            torch.nn.init.zeros_(linear.bias)

    def forward(self, y):
        narrow = y if torch.is_autocast_enabled("cpu") else y.to(self.down.weight.dtype)
        return y + self.up(torch.relu(self.down(narrow))).to(y.dtype)


def _behind(block, _, output):
    """What a block with a bottleneck hands on."""
    return (block.bottleneck(output[0]), *output[1:]) if isinstance(output, tuple) else block.bottleneck(output)


def with_bottlenecks(model, blocks):
    model.requires_grad_(False)
    for block in model.get_submodule(blocks):
        block.bottleneck = Bottleneck(model.config.hidden_size)
        block.register_forward_hook(_behind)
    return model


def tuned(model, method, family):
    """The model with a method's parameters, and nothing else, to train."""
    if method == "full":
        return model
    few, every, scaled, scaled_inputs, blocks = TARGETS[family]
    if method == "adapter":
        return with_bottlenecks(model, blocks)
    import peft
    shared = dict(task_type="CAUSAL_LM")
    transposed = dict(fan_in_fan_out=family == "gpt2")
    configuration = {
        "lora": lambda: peft.LoraConfig(r=8, lora_alpha=16, target_modules=few, **transposed, **shared),
        "lora-all-linear": lambda: peft.LoraConfig(r=16, lora_alpha=32, target_modules=every, **transposed, **shared),
        "prefix": lambda: peft.PrefixTuningConfig(num_virtual_tokens=20, **shared),
        "prompt": lambda: peft.PromptTuningConfig(num_virtual_tokens=20, **shared),
        "ia3": lambda: peft.IA3Config(target_modules=scaled, feedforward_modules=scaled_inputs, **transposed, **shared),
    }[method]()
    return peft.get_peft_model(model, configuration)


def loaded(options):
    dtype = torch.bfloat16 if options.precision == "bf16-weights" else torch.float32
    # Transformers' own scan is a loop over tokens; with this package it is a parallel one, five times as fast.
    settings = {"use_mambapy": importlib.util.find_spec("mambapy") is not None} if getattr(options, "preset", None) == "mamba" else {}
    return transformers.AutoModelForCausalLM.from_pretrained(options.model, dtype=dtype, **settings)


def arithmetic(options):
    return torch.autocast("cpu", dtype=torch.bfloat16) if options.precision == "bf16" else contextlib.nullcontext()


def peak_bytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def train(options):
    preset = PRESETS[options.preset]
    model = tuned(loaded(options), options.method, preset.family).train()
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=1e-4, weight_decay=0.01, fused=True)
    ids = torch.tensor(synthetic_ids(preset.batch * preset.length, preset.config["vocab_size"])).view(preset.batch, preset.length)
    # A prefix is a cache of keys and values; nothing else needs one in training.
    batch = dict(input_ids=ids, labels=ids) | ({} if options.method == "prefix" else dict(use_cache=False))
    seconds, losses = [], []
    for step in range(options.warmup + options.steps):
        start = time.perf_counter()
        with arithmetic(options):
            loss = model(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
        if step >= options.warmup:
            seconds.append(time.perf_counter() - start)
    return {
        "tokens_per_second": ids.numel() / statistics.median(seconds), "first_loss": losses[0],
        "trainable_parameters": sum(parameter.numel() for parameter in parameters)}


def generate(options):
    preset = PRESETS[options.preset]
    model = loaded(options).eval()
    model.generation_config.eos_token_id, model.generation_config.pad_token_id = None, 0
    ids = torch.tensor([synthetic_ids(32, preset.config["vocab_size"])])

    def seconds(count):
        start = time.perf_counter()
        with torch.inference_mode(), arithmetic(options):
            model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=count, min_new_tokens=count, do_sample=False)
        return time.perf_counter() - start

    seconds(4)
    total, first = statistics.median(seconds(128) for _ in range(3)), statistics.median(seconds(1) for _ in range(3))
    return {"tokens_per_second": 128 / total, "decode_tokens_per_second": 127 / (total - first), "prefill_seconds": first}


class PromptCompletions(torch.utils.data.Dataset):
    """Prompts without loss and completions with it, as ids."""

    def __init__(self, path, tokenizer, length):
        with open(path) as file:
            records = [json.loads(line) for line in file]
        self.examples = []
        for record in records:
            prompt = tokenizer(record["prompt"], add_special_tokens=False)["input_ids"]
            completion = tokenizer(record["completion"], add_special_tokens=False)["input_ids"] + [tokenizer.eos_token_id]
            self.examples.append(dict(input_ids=(prompt + completion)[:length], labels=([-100] * len(prompt) + completion)[:length]))

    def __len__(self):
        return len(self.examples)

    def __getitem__(self, index):
        return self.examples[index]


def sft(options):
    tokenizer = transformers.AutoTokenizer.from_pretrained(options.model)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    model = loaded(options)
    model = tuned(model, "lora", model.config.model_type)
    data = PromptCompletions(options.data, tokenizer, options.length)
    settings = transformers.TrainingArguments(
        output_dir=options.output, num_train_epochs=1, per_device_train_batch_size=options.batch, learning_rate=1e-3, logging_steps=10,
        save_strategy="no", report_to=[], use_cpu=True, bf16=options.precision == "bf16", dataloader_pin_memory=False, disable_tqdm=True, seed=1)
    trainer = transformers.Trainer(
        model=model, args=settings, train_dataset=data, data_collator=transformers.DataCollatorForSeq2Seq(tokenizer, label_pad_token_id=-100))
    metrics = trainer.train().metrics
    return {
        "samples_per_second": len(data) / metrics["train_runtime"], "final_loss": metrics["train_loss"],
        "tokens": sum(len(example["input_ids"]) for example in data.examples)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=["train", "generate", "sft"])
    parser.add_argument("--model", required=True)
    parser.add_argument("--preset", choices=PRESETS)
    parser.add_argument("--method", default="lora", choices=["lora", "lora-all-linear", "prefix", "prompt", "adapter", "ia3", "full"])
    parser.add_argument("--precision", default="fp32", choices=["fp32", "bf16", "bf16-weights"])
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--warmup", type=int, default=3)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--data", help="a JSONL file with prompt and completion")
    parser.add_argument("--length", type=int, default=512, help="tokens that an example is cut to")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--output", help="where Trainer may write")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    figures = {"train": train, "generate": generate, "sft": sft}[options.mode](options)
    versions = {"torch": torch.__version__, "transformers": transformers.__version__}
    print(json.dumps(figures | {"peak_memory_bytes": peak_bytes()} | versions))


if __name__ == "__main__":
    main()
