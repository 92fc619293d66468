#!/usr/bin/env python3
"""Makes Tests/GraftTokenizersTests/Fixtures/tiktoken: a small vocabulary as that of the first Qwen, and what tiktoken does with it.

    python Scripts/make-tiktoken-goldens.py

Needs `tiktoken` and `tokenizers`. The pattern, the composing of characters and the special tokens are those of Qwen's own code; the merges are
learnt from the corpus of `make-tokenizer-goldens.py`, and some tokens are added that a pair alone never makes.
"""

import importlib.util
import json
import unicodedata
from base64 import b64encode
from pathlib import Path

import tiktoken
from tiktoken._educational import bpe_train

HERE = Path(__file__).resolve().parent
FOLDER = HERE.parent / "Tests" / "GraftTokenizersTests" / "Fixtures" / "tiktoken"
PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
# Tokens that several pairs make, that a longer one comes before, and that bytes in the middle of a character end.
MORE = [b"aa", b"aaaa", b"aaa", b"ba", b"abab", b"bab", "😀".encode()[:2], "😀".encode()[2:], "𠮷".encode()[:3], b"  ", b"    ", b"\n\n"]
TEXTS = ["aaaaaaa", "aaaa aaaaa", "ababababa babab", "<|im_start|>user\nHi<|im_end|>\n", "a<|endoftext|>b<|extra_7|>", "<|im_start", "<|extra_205|>",
         "<|im_end|>\u0338", "e\u0301<|im_end|>e\u0301", "x    y\n\n\n  z"]


def main():
    spec = importlib.util.spec_from_file_location("goldens", HERE / "make-tokenizer-goldens.py")
    goldens = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(goldens)
    ranks = bpe_train("\n".join(goldens.CORPUS), 420, PATTERN, None)
    for token in MORE:
        ranks.setdefault(token, len(ranks))
    names = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"] + [f"<|extra_{i}|>" for i in range(205)]
    encoding = tiktoken.Encoding(
        "Qwen", pat_str=PATTERN, mergeable_ranks=ranks, special_tokens={name: len(ranks) + i for i, name in enumerate(names)})
    FOLDER.mkdir(parents=True, exist_ok=True)
    lines = [f"{b64encode(token).decode()} {rank}\n" for token, rank in ranks.items()]
    (FOLDER / "qwen.tiktoken").write_text("".join(lines))
    rows = []
    for text in goldens.TEXTS + TEXTS:
        ids = encoding.encode(unicodedata.normalize("NFC", text), allowed_special="all", disallowed_special=())
        plain = [id for id in ids if id < len(ranks)]
        rows.append({
            "text": text, "ids": ids, "decoded": encoding.decode(ids, errors="replace"),
            "decoded_without_special": encoding.decode(plain, errors="replace"),
        })
    document = json.dumps({"vocabulary_size": encoding.n_vocab, "rows": rows}, ensure_ascii=False, separators=(",", ":"))
    (FOLDER / "goldens.json").write_text(document.replace('},{"text"', '},\n{"text"') + "\n", "utf-8")


main()
