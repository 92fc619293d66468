#!/usr/bin/env python3
"""Makes everything the seedling model starts from, the same to the byte on every machine.

    python3 Scripts/make-seedling-data.py

writes, below the folder that holds this script's folder,

    Data/generated/seedling/{train,eval}.jsonl   the corpus ({"text"}), which is not kept under version control
    Data/models/seedling/*.json                  tokenizer, configuration, generation settings
    Data/instructions/{train,eval}.jsonl         instruction data ({"prompt", "completion"})
    Data/arithmetic/{train,eval}.jsonl           small sums ({"prompt", "completion"})
    Data/sorting/{train,eval}.jsonl              a skill of the corpus, not asked for in words ({"prompt", "completion"})
    Data/cipher/{train,eval}.jsonl               a skill that the corpus does not have ({"prompt", "completion"})
    Data/forgetting/eval.jsonl                   more of the corpus, to see what is forgotten ({"text"})

and needs nothing but Python 3.9. `Recipes/pretrain-seedling.yaml` trains the model on the corpus.
"""

import argparse
from pathlib import Path

from seedling.chats import chat
from seedling.comparisons import comparison_sets
from seedling.files import write_document, write_lines
from seedling.instructions import arithmetic_sets, instruction_sets
from seedling.lessons import lesson
from seedling.model import VOCABULARY_SIZE, config_document, generation_config_document, parameter_count
from seedling.stories import story
from seedling.streams import Stream
from seedling.tokenizer import Encoder, tokenizer_config_document, tokenizer_document, train

# What the documents are, and how many of a hundred.
DOCUMENTS = [(story, 12), (lesson, 82), (chat, 6)]


def corpus(seed, part, count):
    stream = Stream(seed, f"corpus/{part}")
    return [stream.weighted(DOCUMENTS)(stream) for _ in range(count)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--documents", type=int, default=160_000, help="documents of the training corpus")
    parser.add_argument("--output", type=Path, default=Path(__file__).resolve().parent.parent / "Data",
                        help="the data folder to write to")
    arguments = parser.parse_args()

    training = corpus(arguments.seed, "train", arguments.documents)
    evaluation = corpus(arguments.seed, "eval", 500)
    # The tokenizer learns from a fixed part, so that it does not depend on the size of the corpus.
    vocabulary, merges = train(corpus(arguments.seed, "tokenizer", 20_000), VOCABULARY_SIZE)
    config = config_document()

    generated = arguments.output / "generated" / "seedling"
    write_lines(generated / "train.jsonl", ({"text": text} for text in training))
    write_lines(generated / "eval.jsonl", ({"text": text} for text in evaluation))

    model = arguments.output / "models" / "seedling"
    write_document(model / "tokenizer.json", tokenizer_document(vocabulary, merges))
    write_document(model / "tokenizer_config.json", tokenizer_config_document())
    write_document(model / "config.json", config)
    write_document(model / "generation_config.json", generation_config_document())

    sets = {"instructions": instruction_sets(Stream(arguments.seed, "instructions")),
            "arithmetic": arithmetic_sets(Stream(arguments.seed, "arithmetic")),
            **comparison_sets(Stream(arguments.seed, "comparisons"))}
    for name, parts in sets.items():
        for part, records in zip(("train", "eval"), parts):
            write_lines(arguments.output / name / f"{part}.jsonl", records)
    write_lines(arguments.output / "forgetting" / "eval.jsonl", ({"text": text} for text in corpus(arguments.seed, "forgetting", 200)))

    encoder = Encoder(merges)
    tokens = sum(encoder.count(text) + 1 for text in training)
    print(f"{len(training):,} documents, {tokens:,} tokens with their ends; {parameter_count(config):,} parameters")


if __name__ == "__main__":
    main()
