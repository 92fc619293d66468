#!/usr/bin/env python3
"""Checks AdapterHub's methods against its own library, in both directions.

Needs adapters 1.2.0 (and the torch, transformers and safetensors that it brings), a built graft, and checkpoints of small models:

    python3 Scripts/check-adapterhub.py --graft .build/release/graft --cases DIR [--only 'bert/*'] [--fixtures]

DIR holds one folder for each family (bert, bert-cls, gpt2, llama, mistral, qwen2, qwen3, t5), each with a checkpoint in `model`.
For every family and configuration:

* `export`: graft trains an adapter for a few steps and exports it; the library loads the pickle and the safetensors file, every tensor
  must find its place, and both programs must compute the same.
* `import`: the library makes an adapter of random weights and saves it in both forms; graft uses each as it is, and turned into HDF5.

`--fixtures` also writes the small fixtures of the unit tests.
"""

import argparse
import fnmatch
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import adapters
import torch
import transformers

LIMIT = 2e-4
TEXTS = ["The quick brown fox.", "a b c d e f g", "Hello, world! 123"]
CONFIGURATIONS = {
    "seq_bn": {"reduction_factor": 4}, "double_seq_bn": {"reduction_factor": 8}, "par_bn": {}, "scaled_par_bn": {},
    "compacter": {"reduction_factor": 2, "phm_dim": 2}, "compacter++": {"reduction_factor": 2, "phm_dim": 2},
    "seq_bn_inv": {"reduction_factor": 4}, "loreft": {"r": 2, "suffix_positions": 1, "dropout": 0.0}, "noreft": {"r": 2, "dropout": 0.0},
    "lora": {"r": 2}, "prefix_tuning_flat": {"prefix_length": 3}, "unipelt": {},
}
# The methods that are not those of bottlenecks, with the families that they are for here; the library's own attention of Llama is wrong.
OTHERS = {"loreft": "REFT", "noreft": "REFT", "lora": "HUB_LORA", "prefix_tuning_flat": "HUB_PREFIX", "unipelt": "UNION"}
FAMILIES = {"lora": ["bert", "bert-cls"], "unipelt": ["bert", "bert-cls"], "prefix_tuning_flat": ["bert", "bert-cls", "gpt2"], "seq_bn_inv": [
    "bert", "bert-cls", "gpt2", "llama"]}
CLASSES = {
    "bert": transformers.AutoModelForMaskedLM, "bert-cls": transformers.AutoModelForSequenceClassification, "t5": transformers.AutoModelForSeq2SeqLM,
}
FIXTURES = pathlib.Path(__file__).parent.parent / "Tests/GraftCheckpointsTests/Fixtures"


class Failure(Exception):
    pass


def mend(model):
    """The attention of Llama and Mistral in adapters 1.2.0 exchanges two axes that Transformers has exchanged already, so that even a model
    without any adapter computes nonsense. Bottleneck adapters need nothing of it: the original does instead."""
    for module in model.modules():
        kind = type(module)
        if kind.__name__ in ("LlamaAttentionWithAdapters", "MistralAttentionWithAdapters"):
            original = next(base for base in kind.__mro__ if base.__module__.startswith("transformers.models"))
            module.forward = original.forward.__get__(module)


class Check:
    def __init__(self, graft, cases, family, name, work):
        self.graft, self.family, self.name, self.work = str(pathlib.Path(graft).resolve()), family, name, work
        self.model_path = str(cases / family / "model")
        self.kind = {"bert": "embed", "bert-cls": "classes", "t5": "pairs"}.get(family, "text")
        self.data = work / "data.jsonl"
        rows = {
            "embed": [{"text": text} for text in TEXTS], "text": [{"text": text} for text in TEXTS],
            "classes": [{"text": text, "label": index} for index, text in enumerate(TEXTS)],
            "pairs": [{"source": text, "target": text[::-1]} for text in TEXTS],
        }[self.kind]
        self.data.write_text("".join(json.dumps(row) + "\n" for row in rows))
        self.rows = rows

    def run(self, *arguments):
        result = subprocess.run([self.graft, *map(str, arguments)], capture_output=True, text=True)
        if result.returncode:
            raise Failure(f"graft {' '.join(map(str, arguments))}: {result.stderr.strip()}")
        return result.stdout

    def lines(self, *arguments):
        return [json.loads(line) for line in self.run(*arguments).splitlines()]

    def reference(self):
        model = CLASSES.get(self.family, transformers.AutoModelForCausalLM).from_pretrained(self.model_path, torch_dtype=torch.float32)
        adapters.init(model)
        mend(model)
        return model.eval()

    def configuration(self):
        return adapters.AdapterConfig.load(self.name, **CONFIGURATIONS[self.name])

    def graft_values(self, adapter):
        """One row of numbers for each example, and what the library needs to compute the same."""
        command = "embed" if self.kind == "embed" else "score"
        rows = self.lines(command, "--model", self.model_path, "--adapter", adapter, "--data", self.data)
        if self.kind == "embed":
            return [row["embedding"] for row in rows]
        if self.kind == "classes":
            return [row["logits"] for row in rows]
        self.tokens = [row["tokens"] for row in rows]
        return [[value for value in row["logprobs"] if value is not None] for row in rows]

    def ids(self, text):
        return torch.tensor([self.lines("tokenize", "--model", self.model_path, text)[0]["ids"]])

    def library_values(self, model):
        values = []
        with torch.no_grad():
            for index, row in enumerate(self.rows):
                if self.kind == "embed":
                    states = model(self.ids(row["text"]), output_hidden_states=True).hidden_states[-1]
                    values.append(states[0].mean(0).tolist())
                elif self.kind == "classes":
                    values.append(model(self.ids(row["text"])).logits[0].tolist())
                elif self.kind == "pairs":
                    labels = torch.tensor([self.tokens[index]])
                    scores = model(input_ids=self.ids(row["source"]), labels=labels).logits.log_softmax(-1)
                    values.append(scores[0].gather(1, labels[0][:, None])[:, 0].tolist())
                else:
                    tokens = torch.tensor([self.tokens[index]])
                    scores = model(tokens).logits.log_softmax(-1)
                    values.append(scores[0, :-1].gather(1, tokens[0, 1:, None])[:, 0].tolist())
        return values

    def compare(self, ours, theirs, what):
        if [len(row) for row in ours] != [len(row) for row in theirs]:
            raise Failure(f"{what}: {[len(row) for row in ours]} values, the library has {[len(row) for row in theirs]}")
        difference = max(abs(a - b) for left, right in zip(ours, theirs) for a, b in zip(left, right))
        if not difference <= LIMIT:
            raise Failure(f"{what}: difference {difference:.1e}")
        return difference

    def train(self):
        """Trains with a high rate, so that what the adapter adds is not small."""
        method = {"peft_type": OTHERS.get(self.name, "ADAPTER"), "config": self.name, **CONFIGURATIONS[self.name]}
        if self.name == "prefix_tuning_flat":
            method["flat"] = True
        if method["peft_type"].startswith("HUB"):
            del method["config"]
        if self.kind == "classes":
            method["modules_to_save"] = ["classifier"]
        task = {"embed": "masked_lm", "classes": "sequence_classification", "pairs": "seq2seq_lm"}.get(self.kind, "causal_lm")
        recipe = {
            "model": {"path": self.model_path}, "task": task, "method": method, "data": {"train": str(self.data), "max_length": 64},
            "training": {"max_steps": 12, "batch_size": 3, "learning_rate": 0.05, "lr_scheduler": "constant"},
            "report": {"html": False, "tensorboard": False}, "output_dir": str(self.work / "run"),
        }
        path = self.work / "recipe.yaml"
        path.write_text(json.dumps(recipe))
        self.run("train", path, "--quiet")
        return self.work / "run"

    def load(self, directory, **options):
        model, info = self.reference(), {}
        name = model.load_adapter(str(directory), loading_info=info, set_active=True, **options)
        stray = [key for kind in ("missing_keys", "unexpected_keys") for key in info.get(kind, []) if name in key and ".pool." not in key]
        if stray:
            raise Failure(f"the library found no place for, or no tensor for, {stray[:3]}")
        return model.eval()

    def export(self):
        run, directory = self.train(), self.work / "exported"
        self.run("export", run, "--format", "adapterhub", "--output", directory)
        ours = self.graft_values(run)
        plain = self.library_values(self.reference())
        change = max(abs(a - b) for left, right in zip(ours, plain) for a, b in zip(left, right))
        if change < 0.01:
            raise Failure(f"the adapter changes nothing ({change:.1e})")
        worst = 0
        for options in ({}, {"use_safetensors": True}):
            worst = max(worst, self.compare(ours, self.library_values(self.load(directory, **options)), f"export {options}"))
        complete = set(self.configuration().to_dict()) - {"configs"}
        written = json.loads((directory / "adapter_config.json").read_text())["config"]
        if complete - {"architecture"} - set(written):
            raise Failure(f"keys {complete - set(written)} are not written")
        worst = max(worst, self.compare(self.graft_values(directory), ours, "reading the export again"))
        return f"max|Δ| {worst:.1e}, of a change of {change:.1f}"

    def import_(self):
        model = self.reference()
        torch.manual_seed(len(self.name))
        model.add_adapter("ad", config=self.configuration())
        model.set_active_adapters("ad")
        for name, parameter in model.named_parameters():
            if name.endswith("original"):  # a sign, and what stands for orthonormal rows behind it
                parameter.data += torch.randn_like(parameter).triu(1)
            elif ".ad." in name:
                parameter.data = torch.randn_like(parameter) * (0.5 if "phm" in name else 0.3)
            elif name.startswith("classifier"):
                parameter.data = torch.randn_like(parameter)
        worst = 0
        # The library cannot save as safetensors a prefix that stands under several names.
        for options in ({}, {"use_safetensors": True})[: 1 if self.name in ("prefix_tuning_flat", "unipelt") else 2]:
            directory = self.work / f"saved-{len(options)}"
            model.save_adapter(str(directory), "ad", with_head=self.kind == "classes", **options)
            if self.family == "t5" and self.name.startswith("compacter"):
                # The library leaves the shared rule out of what it saves where the base model has no prefix: nobody can read that.
                try:
                    self.graft_values(directory)
                except Failure as refusal:
                    if "no tensor shared_parameters.phm_rule" in str(refusal):
                        continue
                raise Failure("an adapter without its rule was not refused")
            ours = self.graft_values(directory)
            worst = max(worst, self.compare(ours, self.library_values(model), f"import {options}"))
            file = self.work / f"imported-{len(options)}.h5"
            self.run("import", directory, "--output", file)
            worst = max(worst, self.compare(self.graft_values(file), ours, f"HDF5 {options}"))
        return f"max|Δ| {worst:.1e}"


def make_fixtures():
    """Adapters of a BERT of one layer, small enough to keep."""
    config = transformers.BertConfig(
        vocab_size=11, hidden_size=8, intermediate_size=12, num_hidden_layers=1, num_attention_heads=2, max_position_embeddings=8)
    torch.manual_seed(0)
    model = transformers.BertForSequenceClassification(config)
    adapters.init(model)
    for name, options in [("double_seq_bn", {"reduction_factor": 4}), ("compacter", {"reduction_factor": 2, "phm_dim": 2})]:
        model.add_adapter(name, config=adapters.AdapterConfig.load(name, **options))
        for key, parameter in model.named_parameters():
            if f".{name}." in key:
                parameter.data = torch.arange(parameter.numel(), dtype=torch.float32).reshape(parameter.shape) / 8
        for form, use_safetensors in [("bin", False), ("safetensors", True)]:
            folder = FIXTURES / "adapterhub" / f"{name}-{form}"
            shutil.rmtree(folder, ignore_errors=True)
            model.save_adapter(str(folder), name, use_safetensors=use_safetensors, with_head=form == "bin" and name == "double_seq_bn")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graft", default=".build/release/graft")
    parser.add_argument("--cases", type=pathlib.Path)
    parser.add_argument("--only", default="*")
    parser.add_argument("--fixtures", action="store_true")
    options = parser.parse_args()
    if options.fixtures:
        make_fixtures()
    failures = passes = 0
    for family in ["bert", "bert-cls", "gpt2", "llama", "mistral", "qwen2", "qwen3", "t5"] if options.cases else []:
        for name in CONFIGURATIONS:
            for direction in ("export", "import"):
                title = f"{family}/{name}/{direction}"
                if not fnmatch.fnmatch(title, options.only) or family not in FAMILIES.get(name, [family]):
                    continue
                work = pathlib.Path(tempfile.mkdtemp(prefix="adapterhub-"))
                try:
                    check = Check(options.graft, options.cases.resolve(), family, name, work)
                    figure = check.export() if direction == "export" else check.import_()
                    print("ok  ", title, figure, flush=True)
                    passes += 1
                except Failure as failure:
                    print("FAIL", title, failure, flush=True)
                    failures += 1
                finally:
                    shutil.rmtree(work, ignore_errors=True)
    print(f"{passes} passed, {failures} failed")
    sys.exit(failures > 0)


if __name__ == "__main__":
    main()
