#!/usr/bin/env python3
"""Makes the data and tokenizers of the recipes for encoders and encoder-decoders, the same to the byte on every machine.

    python3 Scripts/make-task-data.py

writes, below the folder that holds this script's folder,

    Data/sentences/{train,eval}.jsonl    reviews with the writer's opinion ({"text", "label"})
    Data/dates/{train,eval}.jsonl        dates as written and in ISO 8601 ({"source", "target"})
    Data/numbers/{train,eval}.jsonl      numbers in English and in German words ({"source", "target"})
    Data/stories/{train,eval}.jsonl      short stories ({"text"})
    Data/tokenizers/{wordpiece,unigram}  BERT's and T5's kinds of tokenizer for them

and needs nothing but Python 3.9.
"""

import argparse
from pathlib import Path

from seedling.files import write_document, write_lines
from seedling.stories import story
from seedling.streams import Stream
from tasks.dates import date_sets
from tasks.numbers import GERMAN_PIECES, number_sets
from tasks.sentences import sentence_set
from tasks.tokenizers import unigram, wordpiece


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path(__file__).resolve().parent.parent / "Data",
                        help="the data folder to write to")
    arguments = parser.parse_args()

    def stream(label):
        return Stream(arguments.seed, label)

    sets = {
        "sentences": (sentence_set(stream("sentences/train"), 3800, held=False),
                      sentence_set(stream("sentences/eval"), 400, held=True)),
        "dates": date_sets(stream("dates"), [5000, 400]),
        "numbers": number_sets(stream("numbers"), [3000, 400]),
        "stories": [[{"text": story(part)} for _ in range(count)]
                    for part, count in ((stream("stories/train"), 600), (stream("stories/eval"), 60))],
    }
    for name, parts in sets.items():
        for part, records in zip(("train", "eval"), parts):
            write_lines(arguments.output / name / f"{part}.jsonl", records)

    # Vocabularies are those of the training sets.
    texts = {name: [value for record in parts[0] for key, value in record.items() if key != "label"] for name, parts in sets.items()}
    tokenizers = {
        "wordpiece": wordpiece(texts["sentences"] + texts["stories"], 900),
        "unigram": unigram(texts["dates"] + texts["numbers"] + texts["stories"], 600, GERMAN_PIECES),
    }
    for name, (document, config) in tokenizers.items():
        write_document(arguments.output / "tokenizers" / name / "tokenizer.json", document)
        write_document(arguments.output / "tokenizers" / name / "tokenizer_config.json", config)


if __name__ == "__main__":
    main()
