"""Tasks that tell methods apart: what the base can do but must be led to, and what it cannot do yet."""

from .skills import letters
from .words import LETTERS


def sorting(stream):
    """Letters in order, without the word that asks for it: the base knows "sort c a b -> a b c." """
    items = letters(stream, 3, 5)
    return " ".join(items), " ".join(sorted(items))


def cipher(alphabet):
    """A maker of words in a secret alphabet: every letter stands for another, always the same."""
    secret = dict(zip(LETTERS, alphabet))

    def made(stream):
        items = letters(stream, 3, 5)
        return " ".join(items), " ".join(secret[letter] for letter in items)
    return made


def sets(stream, make, train_count, eval_count):
    """(training, evaluation) lines of a task; none is in both."""
    pairs = {}
    while len(pairs) < train_count + eval_count:
        asked, answer = make(stream)
        pairs[asked] = answer
    lines = [{"prompt": f"{asked} ->", "completion": f" {answer}."} for asked, answer in pairs.items()]
    return lines[eval_count:], lines[:eval_count]


def comparison_sets(stream):
    """The sets by name."""
    alphabet = stream.shuffled(LETTERS)
    return {"sorting": sets(stream, sorting, 800, 200), "cipher": sets(stream, cipher(alphabet), 800, 200)}
