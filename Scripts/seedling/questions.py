"""Questions with one right answer, in wordings that the corpus uses and in wordings kept for the instruction data."""

from collections import namedtuple

from . import skills
from .words import DAYS, FOODS, LETTERS, MONTHS, OPPOSITES, PLURALS, THINGS, with_plural

# `item` is what is asked about, whatever the wording; `known` and `new` are the wordings of corpus and instructions.
Question = namedtuple("Question", "item known new answer")


def about_row(items, known, new, answer):
    """Something to do with a row of items."""
    row = " ".join(items)
    return Question(row, [wording.format(row) for wording in known], [f"{wording}: {row}" for wording in new], answer)


def reverse(stream):
    items = stream.sample(LETTERS, stream.between(3, 4))
    return about_row(items, ["Can you reverse {}?", "What is {} backwards?"],
                     ["Please reverse", "Write this row backwards"], " ".join(reversed(items)))


def sort(stream):
    items = stream.sample(LETTERS, stream.between(3, 4))
    return about_row(items, ["Can you sort {}?", "What is {} in order?"],
                     ["Please sort", "Put these letters in order"], " ".join(sorted(items)))


def repeat(stream):
    items = stream.sample(skills.COPIED, stream.between(2, 4))
    return about_row(items, ["Can you copy {}?", "Can you say {}?"], ["Please copy", "Say this again"], " ".join(items))


def count(stream):
    items = [with_plural(stream.choice(THINGS + FOODS))[0]] * stream.between(2, 6)
    return about_row(items, ["Can you count {}?", "How many is {}?"],
                     ["Please count", "How many words are here"], str(len(items)))


def opposite(stream):
    pair = stream.choice(OPPOSITES)
    x, y = pair if stream.chance(50) else reversed(pair)
    return Question(x, [f"What is the opposite of {x}?", f"{x} is not what?"],
                    [f"Tell me the opposite of {x}.", f"Give me the opposite: {x}"], y)


def plural(stream):
    one, many = stream.choice(PLURALS)
    return Question(one, [f"One {one}, but two of what?", f"What are many of one {one}?"],
                    [f"I have one {one}. You have many what?", f"Make it many: {one}"], many)


def following(stream):
    cycle, unit = stream.choice([(DAYS, "day"), (MONTHS, "month")])
    place = stream.below(len(cycle))
    side, answer = ("after", cycle[(place + 1) % len(cycle)]) if stream.chance(50) else ("before", cycle[place - 1])
    now = cycle[place]
    return Question((side, now), [f"What {unit} is {side} {now}?", f"What comes {side} {now}?"],
                    [f"Which {unit} comes {side} {now}?", f"Tell me the {unit} {side} {now}."], answer)


def add(stream):
    a, b = stream.between(1, 9), stream.between(1, 9)
    return Question((a, b), [f"What is {a} + {b}?", f"What do {a} and {b} make?"],
                    [f"How much is {a} + {b}?", f"Please add {a} + {b}."], str(a + b))


def judge(stream):
    good = stream.chance(50)
    review = skills.review(stream, good)
    return Question(review, [f"{review} Is this good or bad?", f"How does this feel? {review}"],
                    [f"Is this review good or bad? {review}", f"Tell me if this is good or bad. {review}"],
                    "good" if good else "bad")


def answer(stream):
    told, asked, reply = skills.question(stream)
    return Question(told, [f"{told} {asked}"], [f"Read this. {told} {asked}", f"{told} Now tell me: {asked}"], reply)


QUESTIONS = [reverse, sort, repeat, count, opposite, plural, following, add, judge, answer]

# How often the corpus asks them: more where the answer is harder to learn.
FREQUENCIES = [(reverse, 3), (sort, 4), (repeat, 4), (count, 6), (opposite, 4), (plural, 3), (following, 8), (add, 12),
               (judge, 3), (answer, 10)]


def frequent_question(stream):
    return stream.weighted(FREQUENCIES)(stream)
