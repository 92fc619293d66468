#!/usr/bin/env python3
"""Checks that classifiers which graft exports compute in PEFT what they compute in graft.

Needs torch, transformers 5.23, peft 0.21.2, safetensors and a built graft:

    python3 Scripts/check-peft.py --graft .build/release/graft

For BERT, RoBERTa and DistilBERT, for texts and for tokens, with the recipe's default targets (`all-linear`) on checkpoints with and without a
head: graft trains a few steps, exports, and PEFT loads the export. Every tensor must find its place there, every one that PEFT looks for must
be there, `AutoPeftModel`'s way to the base must lead to it, and the logits must be the same. PEFT's own adapters go the other way.
"""

import argparse
import json
import pathlib
import subprocess
import tempfile
import warnings

import peft
import torch
import transformers
from safetensors.torch import load_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors

transformers.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
warnings.filterwarnings("ignore")
LIMIT = 2e-4
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + [c for c in "abcdefghijklmnopqrst"]
SIZES = dict(vocab_size=len(WORDS), hidden_size=12, intermediate_size=20, num_hidden_layers=4, num_attention_heads=3, max_position_embeddings=40)
FAMILIES = {
    "bert": (transformers.BertConfig(**SIZES), "BertModel", "Bert"),
    "roberta": (transformers.RobertaConfig(**SIZES, pad_token_id=0, bos_token_id=2, eos_token_id=3), "RobertaModel", "Roberta"),
    "distilbert": (transformers.DistilBertConfig(
        vocab_size=len(WORDS), dim=12, hidden_dim=20, n_layers=4, n_heads=3, max_position_embeddings=40), "DistilBertModel", "DistilBert"),
}
LABELS = ["left", "right", "up"]


def write_data(path, task, labels):
    texts = ["a b c d e", "f g h", "q r s t a b"]
    rows = [{"text": t, "label": l} for t, l in zip(texts, labels)]
    if task == "token_classification":
        rows = [{"tokens": t.split(), "labels": [labels[i % 3] for i in range(len(t.split()))]} for t in texts]
    path.write_text("".join(json.dumps(r) + "\n" for r in rows), "utf-8")
    return texts


def make_base(config, bare, folder):
    torch.manual_seed(1)
    kwargs = {"add_pooling_layer": False} if bare in ("BertModel", "RobertaModel") else {}
    model = getattr(transformers, bare)(config, **kwargs)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({
        "tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]",
        "mask_token": "[MASK]", "model_input_names": ["input_ids", "attention_mask"]}), "utf-8")


def graft(program, *arguments):
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"graft {' '.join(map(str, arguments))}: exit {done.returncode}: {done.stderr.strip()[-400:]}")
    return done.stdout


def load(base, adapter, kind, count):
    model = getattr(transformers, kind).from_pretrained(base, num_labels=count)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        model = peft.PeftModel.from_pretrained(model, adapter).eval()
    for warning in said:
        if "missing adapter keys" in str(warning.message) or "Unexpected keyword" in str(warning.message):
            raise SystemExit(f"{adapter}: {warning.message}")
    extra = set(load_file(pathlib.Path(adapter) / "adapter_model.safetensors")) - set(peft.get_peft_model_state_dict(model))
    if extra:
        raise SystemExit(f"{adapter}: PEFT does not know {sorted(extra)}")
    return model


@torch.no_grad()
def check(program, family, task, work):
    config, bare, prefix = FAMILIES[family]
    base, kind = work / "base", f"{prefix}For{'Sequence' if task == 'sequence_classification' else 'Token'}Classification"
    make_base(config, bare, base)
    data, own = work / "data.jsonl", work / "own.jsonl"
    texts = write_data(data, task, LABELS)
    write_data(own, task, ["LABEL_0", "LABEL_1", "LABEL_2"])
    (work / "recipe.yaml").write_text(json.dumps({
        "model": {"path": str(base)}, "task": task, "method": {"peft_type": "LORA", "r": 2, "lora_alpha": 4}, "data": {"train": str(data)},
        "training": {"max_steps": 5, "batch_size": 3, "learning_rate": 0.05}, "report": {"html": False, "tensorboard": False}}), "utf-8")
    run, exported = work / "run", work / "peft"
    graft(program, "train", work / "recipe.yaml", "--output", run, "--quiet")
    graft(program, "export", run, "--format", "peft", "--output", exported)
    written = json.loads((exported / "adapter_config.json").read_text("utf-8"))
    if not pathlib.Path(written["base_model_name_or_path"]).samefile(base):
        raise SystemExit(f"{exported}: base_model_name_or_path is {written['base_model_name_or_path']}")
    model = load(base, exported, kind, 3)
    tokenizer = transformers.AutoTokenizer.from_pretrained(base)
    worst = compare(program, task, base, run, data, model, tokenizer, texts)
    worst = max(worst, compare(program, task, base, exported, data, model, tokenizer, texts))
    # And an adapter of PEFT's, with what its own list and its own reading of modules_to_save make of it.
    torch.manual_seed(2)
    model = getattr(transformers, kind).from_pretrained(base, num_labels=3)
    targets = {"bert": ["query", "dense"], "roberta": ["query", "dense"], "distilbert": ["q_lin", "lin1"]}[family]
    saved = ["pooler"] if family == "bert" and task == "sequence_classification" else None
    if family == "roberta" and task == "sequence_classification":
        targets = "all-linear"
    model = peft.get_peft_model(model, peft.LoraConfig(r=2, target_modules=targets, modules_to_save=saved, task_type="SEQ_CLS" if "seq" in task else "TOKEN_CLS")).eval()
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.add_(0.2 * torch.randn_like(parameter))
    model.save_pretrained(work / "own")
    return max(worst, compare(program, task, base, work / "own", own, model, tokenizer, texts))


def compare(program, task, base, adapter, data, model, tokenizer, texts):
    inputs = [tokenizer(text, return_tensors="pt") for text in texts]
    if task == "token_classification":
        got = json.loads(graft(program, "eval", "--model", base, "--adapter", adapter, "--data", data, "--json"))
        losses = []
        for row in inputs:
            logits = model(**row).logits[0, 1:-1]
            losses.append(torch.nn.functional.cross_entropy(logits, torch.arange(len(logits)) % 3, reduction="none"))
        return abs(got["loss"] - float(torch.cat(losses).mean()))
    rows = [json.loads(line) for line in graft(program, "score", "--model", base, "--adapter", adapter, "--data", data).splitlines()]
    return max(float((torch.tensor(row["logits"]) - model(**x).logits[0]).abs().max()) for row, x in zip(rows, inputs, strict=True))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graft", required=True)
    program, failed = str(pathlib.Path(parser.parse_args().graft).resolve()), 0
    torch.set_num_threads(1)
    for family in FAMILIES:
        for task in ("sequence_classification", "token_classification"):
            with tempfile.TemporaryDirectory() as work:
                try:
                    worst = check(program, family, task, pathlib.Path(work))
                    verdict = "ok" if worst <= LIMIT else "FAIL"
                except SystemExit as error:
                    worst, verdict = str(error), "FAIL"
            failed += verdict == "FAIL"
            print(f"{verdict:<5} {family:<11} {task:<24} {worst if isinstance(worst, str) else f'max|Δ| {worst:.1e}'}", flush=True)
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
