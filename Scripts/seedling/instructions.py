"""Instruction data: skills of the corpus, asked in words and in a layout that the corpus does not have."""

from . import skills
from .words import DAYS, FOODS, MONTHS, OPPOSITES, PLURALS, THINGS, number_word, with_plural


def laid_out(instruction, answer):
    return {"prompt": f"### Instruction: {instruction}\n### Answer:", "completion": f" {answer}"}


# Every maker below returns (item, question, answer). The item is what is asked about, whatever the wording.

def row_of(stream, items, instructions, answer):
    """Something to do with a row of items."""
    row = " ".join(items)
    return row, f"{stream.choice(instructions)}: {row}", answer


def reverse(stream):
    items = skills.letters(stream, 3, 4)
    return row_of(stream, items, ["Please reverse", "Write this row backwards"], " ".join(reversed(items)))


def sort(stream):
    items = skills.letters(stream, 3, 4)
    return row_of(stream, items, ["Please sort", "Put these letters in order"], " ".join(sorted(items)))


def repeat(stream):
    items = stream.sample(skills.COPIED, stream.between(2, 4))
    return row_of(stream, items, ["Please copy", "Say this again"], " ".join(items))


def count(stream):
    items = [with_plural(stream.choice(THINGS + FOODS))[0]] * stream.between(2, 6)
    return row_of(stream, items, ["Please count", "How many words are here"], str(len(items)))


def opposite(stream):
    pair = stream.choice(OPPOSITES)
    x, y = pair if stream.chance(50) else reversed(pair)
    return x, stream.choice([f"What is the opposite of {x}?", f"Give me the opposite: {x}"]), y


def plural(stream):
    singular, many = stream.choice(PLURALS)
    return singular, stream.choice([f"I have one {singular}. You have two of what?", f"Make it many: {singular}"]), many


def following(stream):
    cycle, unit = stream.choice([(DAYS, "day"), (MONTHS, "month")])
    place = stream.below(len(cycle))
    if stream.chance(50):
        return ("after", place, unit), f"Which {unit} comes after {cycle[place]}?", cycle[(place + 1) % len(cycle)]
    return ("before", place, unit), f"Which {unit} comes before {cycle[place]}?", cycle[place - 1]


def add(stream):
    a, b = stream.below(11), stream.below(11)
    return (a, b), stream.choice([f"What is {a} + {b}?", f"Please add {a} and {b}."]), str(a + b)


def judge(stream):
    good = stream.chance(50)
    item = skills.review(stream, good)
    return item, f"Is this review good or bad? {item}", "good" if good else "bad"


def answer(stream):
    story, asked, reply = skills.question(stream)
    return story, f"Read this. {story} {asked}", reply


INSTRUCTIONS = [reverse, sort, repeat, count, opposite, plural, following, add, judge, answer]


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
    for make in INSTRUCTIONS:
        learned, asked = split(make, stream, train_per_skill, eval_per_skill)
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
