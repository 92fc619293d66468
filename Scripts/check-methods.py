#!/usr/bin/env python3
"""Checks that adapters of PEFT's methods compute in graft what they compute in PEFT, and the other way round.

Needs torch, transformers 5.23, peft 0.21.2, safetensors, tokenizers and a built graft:

    python3 Scripts/check-methods.py --graft .build/release/graft [--only hra,road] [--family llama,bert,t5]

For a tiny Llama with biases, a BERT classifier and a T5: PEFT makes an adapter with random values, which graft scores as it is, imported and,
where the method merges, folded in; then graft trains the method for a few steps and exports it, and PEFT must find a place for every
tensor, miss none, and give the same numbers. The methods are those of `make-method-goldens.py` that have losses there.
"""

import argparse
import importlib.util
import json
import pathlib
import re
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
spec = importlib.util.spec_from_file_location("goldens", pathlib.Path(__file__).with_name("make-method-goldens.py"))
goldens = importlib.util.module_from_spec(spec)
spec.loader.exec_module(goldens)

LIMIT = 2e-4
UNMERGED = {"LILY"}
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "<s>", "</s>"] + [c for c in "abcdefghijklmnopqrst"]
TEXTS = ["a b c d e", "f g h", "q r s t a b"]
NAMES = {  # a layer's name in a Llama, for what has its place and its sides in the other families
    "bert": {"q_proj": "query", "v_proj": "value", "up_proj": "intermediate.dense", "down_proj": "output.dense"},
    "t5": {"q_proj": "q", "v_proj": "v", "up_proj": "wi", "down_proj": "wo"},
    "llama": {},
}
TASKS = {"llama": ("causal_lm", "CAUSAL_LM"), "bert": ("sequence_classification", "SEQ_CLS"), "t5": ("seq2seq_lm", "SEQ_2_SEQ_LM")}


def make_model(family):
    torch.manual_seed(1)
    size = len(WORDS)
    if family == "llama":
        model = transformers.LlamaForCausalLM(transformers.LlamaConfig(
            vocab_size=size, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=4,
            attention_bias=True, mlp_bias=True, max_position_embeddings=40, tie_word_embeddings=False, bos_token_id=5, eos_token_id=6))
    elif family == "bert":
        model = transformers.BertForSequenceClassification(transformers.BertConfig(
            vocab_size=size, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4, max_position_embeddings=40, num_labels=3))
    else:
        model = transformers.T5ForConditionalGeneration(transformers.T5Config(
            vocab_size=size, d_model=16, d_ff=24, d_kv=4, num_heads=4, num_layers=2, decoder_start_token_id=0, eos_token_id=6, pad_token_id=0))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.25 * torch.randn_like(parameter))
    return model.eval()


def make_base(family, folder):
    make_model(family).save_pretrained(folder)
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    single = {"llama": "<s> $A", "bert": "[CLS] $A [SEP]", "t5": "$A </s>"}[family]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=single, pair=None, special_tokens=[(w, WORDS.index(w)) for w in ("[CLS]", "[SEP]", "<s>", "</s>")])
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({
        "tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "[PAD]", "unk_token": "[UNK]", "bos_token": "<s>", "eos_token": "</s>"}), "utf-8")


def graft(program, *arguments):
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"graft {' '.join(map(str, arguments[:2]))}: exit {done.returncode}: {done.stderr.strip()[-300:]}")
    return done.stdout


@torch.no_grad()
def distance(program, family, base, adapter, data, model):
    """How far graft's scores with an adapter, or those of a merged base, are from a model's of PEFT."""
    where = ["--model", base] + (["--adapter", adapter] if adapter else [])
    worst = 0.0
    for text, line in zip(TEXTS, graft(program, "score", *where, "--data", data, "--quiet").splitlines(), strict=True):
        row = json.loads(line)
        ids = [WORDS.index(w) for w in text.split()]
        if family == "bert":
            worst = max(worst, float((torch.tensor(row["logits"]) - model(input_ids=torch.tensor([[2, *ids, 3]])).logits[0]).abs().max()))
            continue
        tokens = torch.tensor(row["tokens"])
        if family == "t5":
            logits = model(input_ids=torch.tensor([[*ids, 6]]), labels=tokens[None]).logits[0]
            expected = logits.log_softmax(-1)[torch.arange(len(tokens)), tokens]
        else:
            expected = model(input_ids=tokens[None]).logits[0, :-1].log_softmax(-1)[torch.arange(len(tokens) - 1), tokens[1:]]
        given = torch.tensor([p for p in row["logprobs"] if p is not None])
        worst = max(worst, float((given - expected[-len(given):]).abs().max()))
    return worst


def load(family, adapter):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        model = peft.PeftModel.from_pretrained(make_model(family), adapter).eval()
    for warning in said:
        # RandLoRA's matrices have one more name in every layer, and are the same that stand beside the model.
        missing = [name for name in re.findall("'([^']+)'", str(warning.message)) if not re.search(r"\.model\..*randlora_[AB]", name)]
        if "missing adapter keys" in str(warning.message) and missing or "nexpected" in str(warning.message):
            raise SystemExit(f"PEFT: {str(warning.message)[:300]}")
    extra = set(load_file(pathlib.Path(adapter) / "adapter_model.safetensors")) - set(peft.get_peft_model_state_dict(model))
    if extra:
        raise SystemExit(f"PEFT does not know {sorted(extra)[:3]}")
    return model


def check(program, family, settings, base, work):
    task, peft_task = TASKS[family]
    settings = dict(settings, target_modules=[NAMES[family].get(name, name) for name in settings["target_modules"]])
    data = work / "data.jsonl"
    rows = [{"text": t} if family == "llama" else {"text": t, "label": f"LABEL_{i}"} if family == "bert" else {"source": t, "target": t[::-1]}
            for i, t in enumerate(TEXTS)]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    torch.manual_seed(2)
    model = peft.get_peft_model(make_model(family), peft.get_peft_config({"task_type": peft_task, **settings})).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.2 * torch.randn_like(parameter))
    model.save_pretrained(work / "peft")
    model = load(family, work / "peft")
    found = {"read": distance(program, family, base, work / "peft", data, model)}
    graft(program, "import", work / "peft", "--output", work / "own.h5", "--quiet")
    found["imported"] = distance(program, family, base, work / "own.h5", data, model)
    has_bias = family != "t5" or settings["peft_type"] != "BEFT"
    if settings["peft_type"] not in UNMERGED and has_bias:
        graft(program, "merge", "--model", base, "--adapter", work / "own.h5", "--output", work / "merged", "--quiet")
        found["merged"] = distance(program, family, work / "merged", None, data, model)
    (work / "recipe.yaml").write_text(json.dumps({
        "model": {"path": str(base)}, "task": task, "method": settings, "data": {"train": str(data)},
        "training": {"max_steps": 5, "batch_size": 3, "learning_rate": 0.02}, "report": {"html": False, "tensorboard": False}}), "utf-8")
    graft(program, "train", work / "recipe.yaml", "--output", work / "run", "--quiet")
    graft(program, "export", work / "run", "--format", "peft", "--output", work / "exported", "--quiet")
    found["written"] = distance(program, family, base, work / "run", data, load(family, work / "exported"))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graft", required=True)
    parser.add_argument("--only", default=",".join(goldens.LEARNING))
    parser.add_argument("--family", default=",".join(TASKS))
    arguments = parser.parse_args()
    program, failed = str(pathlib.Path(arguments.graft).resolve()), 0
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        for family in arguments.family.split(","):
            base = pathlib.Path(folder) / family
            make_base(family, base)
            for name in arguments.only.split(","):
                with tempfile.TemporaryDirectory() as work:
                    try:
                        found = check(program, family, goldens.METHODS[name], base, pathlib.Path(work))
                        verdict = "ok" if max(found.values()) <= LIMIT else "FAIL"
                        text = ", ".join(f"{step} {worst:.0e}" for step, worst in found.items())
                    except (Exception, SystemExit) as error:
                        text, verdict = f"{type(error).__name__}: {error}", "FAIL"
                failed += verdict == "FAIL"
                print(f"{verdict:<5} {family:<6} {name:<18} {text}", flush=True)
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
