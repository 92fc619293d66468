#!/usr/bin/env python3
"""Compares `graft embed` and `graft tokenize` with Transformers on a sentence-embedding checkpoint.

    python Scripts/check-minilm.py MODEL [--graft .build/release/graft]

MODEL is the directory of a BERT-shaped sentence encoder with mean pooling, such as all-MiniLM-L6-v2. Needs torch,
transformers and, for the last line, sentence-transformers. Prints the number of texts whose ids are equal and the
largest difference of an element, and ends with 1 where ids differ or an element by more than 1e-5.

`graft embed --pooling mean` gives the mean of the last hidden states. Sentence-transformers scales that mean to length
one as a step of its own (its `Normalize` module); the last line compares after doing the same to ours.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy
import torch
from transformers import AutoModel, AutoTokenizer

TEXTS = [
    "A man is eating food.", "A man is eating a piece of bread.", "The girl is carrying a baby.", "Hello", "a", "?!",
    "How do I reset my password?", "Where can I change my login credentials?", "WHY ARE YOU SHOUTING IN CAPITALS",
    "Café, naïve, coöperate, Übergröße and piñata: accents are stripped.", "你好，世界", "Привет, как дела?", "مرحبا بالعالم",
    "Numbers: 3.14159, 1,000,000 and 2026-11-21T13:00:09Z.", "def f(x): return x ** 2  # code, too", "🙂 emoji 🚀 are unknown",
    "antidisestablishmentarianism floccinaucinihilipilification", "tabs\tand\nline breaks   and   spaces",
    "[MASK] is a special token, and so is [SEP].", "E-mail me@example.com or visit https://example.com/a?b=c&d=e.",
    "The quick brown fox jumps over the lazy dog. " * 8, "word " * 120,
    "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness.",
]


def run(graft, *arguments):
    result = subprocess.run([graft, *arguments], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        sys.exit(result.stderr.strip())
    return [json.loads(line) for line in result.stdout.splitlines()]


def mean_states(model, ids):
    """The mean of the last hidden states of each text, one text at a time."""
    with torch.no_grad():
        return numpy.stack([model(torch.tensor([row])).last_hidden_state[0].double().mean(0).numpy() for row in ids])


def unit(vectors):
    return vectors / numpy.linalg.norm(vectors, axis=1, keepdims=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--graft", default=".build/release/graft")
    arguments = parser.parse_args()
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as data:
        data.writelines(json.dumps({"text": text}) + "\n" for text in TEXTS)
        data.flush()
        tokenized = run(arguments.graft, "tokenize", "--model", str(arguments.model), "--data", data.name)
        embedded = run(arguments.graft, "embed", "--model", str(arguments.model), "--data", data.name, "--pooling", "mean")
    tokenizer = AutoTokenizer.from_pretrained(arguments.model)
    expected = [tokenizer(text, padding=False, truncation=False)["input_ids"] for text in TEXTS]
    equal = sum(line["ids"] == ids for line, ids in zip(tokenized, expected))
    print(f"ids: {equal} of {len(TEXTS)} texts equal")

    ours = numpy.array([line["embedding"] for line in embedded])
    model = AutoModel.from_pretrained(arguments.model, dtype=torch.float32).eval()
    difference = numpy.abs(ours - mean_states(model, expected)).max()
    print(f"mean of the last hidden states: largest difference {difference:.2e}")
    worst = difference
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError:
        print("sentence-transformers is not installed; its embeddings were not compared")
    else:
        library = SentenceTransformer(str(arguments.model), device="cpu").encode(TEXTS, batch_size=1)
        difference = numpy.abs(unit(ours) - unit(library.astype(float))).max()
        print(f"sentence-transformers, both scaled to length one: largest difference {difference:.2e}")
        worst = max(worst, difference)
    sys.exit(0 if equal == len(TEXTS) and worst < 1e-5 else 1)


if __name__ == "__main__":
    main()
