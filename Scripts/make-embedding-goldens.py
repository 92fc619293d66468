#!/usr/bin/env python3
"""Writes Tests/GraftSessionsTests/Fixtures/sentences: what sentence-transformers makes of texts.

`bert` is a tiny model with its tokenizer. `cases.json` holds, for each case, the files that sentence-transformers saves
around it (weights in base64), what `encode` is asked for, and the vectors. Needs torch and sentence-transformers.

    python Scripts/make-embedding-goldens.py
"""

import base64
import json
import pathlib
import shutil
import tempfile

import tokenizers
import torch
import transformers
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense, Normalize, Transformer
from sentence_transformers.sentence_transformer.modules import Dropout, LayerNorm, Pooling

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "Tests" / "GraftSessionsTests" / "Fixtures" / "sentences"
WORDS = "the a cat dog bird sat ran sang on under mat tree grass and slowly query passage : . red green ##s ##ing".split()
TEXTS = [
    "The cat sat on the mat .", "dog", "A bird sang and the dogs ran under the tree slowly .",
    "red green red green red green red green red green red green red green red green red green", "Singing cats ran .",
]
MODES = ["cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"]


def make_model():
    vocabulary = {word: index for index, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "sing"] + WORDS)}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = tokenizers.normalizers.NFC()
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]", mask_token="[MASK]",
        model_max_length=24)
    config = transformers.BertConfig(
        vocab_size=len(vocabulary), hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=12,
        max_position_embeddings=32, initializer_range=0.6, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    torch.manual_seed(3)
    transformers.BertModel(config, add_pooling_layer=False).save_pretrained(FOLDER / "bert")
    fast.save_pretrained(FOLDER / "bert")


def models():
    """The limits of texts, the modules behind the model, what is saved beside them, and what is asked for."""
    prompts = dict(prompts={"query": "query : ", "passage": "passage : "})
    for mode in MODES:
        yield {}, [Pooling(8, mode)], {}, {}
        yield {}, [Pooling(8, mode, include_prompt=False), Normalize()], prompts, dict(prompt_name="query")
    for _ in range(2):
        yield dict(max_seq_length=7, do_lower_case=True), [Pooling(8, "lasttoken"), Normalize()], {}, {}
    for _ in range(2):
        yield dict(max_seq_length=9), [Pooling(8, ("cls", "max", "mean", "lasttoken"))], {}, {}
    yield {}, [Pooling(8, "mean"), Dropout(0.5), Dense(8, 6), Normalize()], {}, {}
    yield {}, [Pooling(8, "mean"), Dense(8, 5, bias=False, activation_function=torch.nn.Identity())], {}, {}
    yield {}, [Pooling(8, "cls"), Dense(8, 6, activation_function=torch.nn.GELU(), use_residual=True), LayerNorm(6)], {}, {}
    yield {}, [Pooling(8, "cls"), Dense(8, 8, activation_function=torch.nn.ReLU(), use_residual=True)], {}, {}
    yield {}, [Pooling(8, "mean"), Normalize()], dict(default_prompt_name="passage", **prompts), {}
    yield {}, [Pooling(8, "mean"), Normalize()], dict(default_prompt_name="passage", **prompts), dict(prompt="red ")
    yield {}, [Pooling(8, "weightedmean"), Normalize()], dict(truncate_dim=5), {}


def make_legacy(folder, options):
    """Gives a saved model the names that older releases wrote, and their file for what the tokenizer says today."""
    modules = json.loads((folder / "modules.json").read_text())
    for module in modules:
        module["type"] = "sentence_transformers.models." + module["type"].rsplit(".", 1)[1]
    (folder / "modules.json").write_text(json.dumps(modules))
    pooling = json.loads((folder / "1_Pooling" / "config.json").read_text())
    mode = pooling.pop("pooling_mode")
    names = {"cls": "cls_token", "max": "max_tokens", "mean": "mean_tokens", "mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
             "weightedmean": "weightedmean_tokens", "lasttoken": "lasttoken"}
    for name, key in names.items():
        pooling[f"pooling_mode_{key}"] = name == mode or (isinstance(mode, list) and name in mode)
    pooling["word_embedding_dimension"] = pooling.pop("embedding_dimension")
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    (folder / "sentence_bert_config.json").write_text(json.dumps(dict(max_seq_length=None, do_lower_case=False) | options))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(FOLDER / "bert" / name, folder / name)


def main():
    torch.set_num_threads(1)
    shutil.rmtree(FOLDER, ignore_errors=True)
    make_model()
    cases = []
    for number, (limits, modules, options, asked) in enumerate(models()):
        torch.manual_seed(number)
        for module in modules:
            for parameter in module.parameters():
                torch.nn.init.normal_(parameter, std=0.5)
        model = SentenceTransformer(modules=[Transformer(str(FOLDER / "bert"), **limits), *modules], device="cpu", **options)
        with tempfile.TemporaryDirectory() as place:
            folder = pathlib.Path(place)
            model.save(place, create_model_card=False)
            if number % 2:
                make_legacy(folder, limits)
            files, weights = {}, {}
            for path in sorted(folder.rglob("*")):
                name, own = str(path.relative_to(folder)), FOLDER / "bert" / path.relative_to(folder)
                if path.is_dir() or name in ("config.json", "model.safetensors") or (own.exists() and own.read_bytes() == path.read_bytes()):
                    continue
                if path.suffix == ".json":
                    files[name] = json.loads(path.read_text())
                else:
                    weights[name] = base64.b64encode(path.read_bytes()).decode()
            vectors = SentenceTransformer(place, device="cpu").encode(TEXTS, batch_size=2, **asked)
        cases.append(dict(
            files=files, weights=weights, asked=asked, vectors=[[round(float(value), 6) for value in vector] for vector in vectors]))
    (FOLDER / "cases.json").write_text(json.dumps(dict(texts=TEXTS, cases=cases), separators=(",", ":")) + "\n")
    (FOLDER / "bert" / "model.safetensors").chmod(0o644)
    print(f"{len(cases)} cases")


main()
