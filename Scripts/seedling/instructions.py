"""Instruction data: skills of the corpus, asked in wordings and in a layout that the corpus does not have."""

from . import skills
from .questions import QUESTIONS
from .words import FOODS, THINGS, number_word, with_plural


def laid_out(instruction, answer):
    return {"prompt": f"### Instruction: {instruction}\n### Answer:", "completion": f" {answer}"}


def in_new_words(make):
    """A maker of (item, question, answer) from a maker of questions."""
    def made(stream):
        question = make(stream)
        return question.item, stream.choice(question.new), question.answer
    return made


def split(make, stream, train_count, eval_count):
    """(training, evaluation) pairs of question and answer; no item is in both, whatever the wording."""
    examples = {}
    for _ in range(40 * (train_count + eval_count)):
        item, asked, reply = make(stream)
        examples.setdefault(item, (asked, reply))
        if len(examples) == train_count + eval_count:
            break
    examples = list(examples.values())
    # Skills with few facts keep a fifth of them for the evaluation.
    held_out = min(eval_count, len(examples) // 5)
    return examples[held_out:], examples[:held_out]


def instruction_sets(stream, train_per_skill=200, eval_per_skill=20):
    """(training, evaluation) lines of all skills, shuffled."""
    train, evaluation = [], []
    for make in QUESTIONS:
        learned, asked = split(in_new_words(make), stream, train_per_skill, eval_per_skill)
        train += [laid_out(*pair) for pair in learned]
        evaluation += [laid_out(*pair) for pair in asked]
    return stream.shuffled(train), stream.shuffled(evaluation)


def arithmetic(stream):
    """A small sum or difference in words, in digits or as a story; the answer shows the calculation."""
    a, b = stream.between(1, 15), stream.between(1, 9)
    kind, name = stream.below(4), stream.choice(skills.NAMES)
    noun = with_plural(stream.choice(THINGS + FOODS))[1]
    asked = [
        (f"What is {number_word(a)} plus {number_word(b)}?", f"What is {number_word(a + b)} minus {number_word(b)}?"),
        (f"What is {a} plus {b}?", f"What is {a + b} minus {b}?"),
        (f"{name} has {a} {noun} and gets {b} more. How many {noun} are there now?",
         f"{name} has {a + b} {noun} and loses {b}. How many {noun} are there now?"),
        (f"There are {number_word(a)} {noun} here and {number_word(b)} {noun} there. How many {noun} are there in all?",
         f"Of {number_word(a + b)} {noun} {name} took {number_word(b)}. How many {noun} are left?"),
    ][kind]
    if stream.chance(50):
        return asked[0], asked[0], f"{a} + {b} = {a + b}"
    return asked[1], asked[1], f"{a + b} - {b} = {a}"


def arithmetic_sets(stream, train_count=600, eval_count=100):
    """(training, evaluation) lines of the arithmetic data."""
    train, evaluation = split(arithmetic, stream, train_count, eval_count)
    return tuple([{"prompt": f"Question: {asked}\nAnswer:", "completion": f" {reply}"} for asked, reply in part]
                 for part in (train, evaluation))
