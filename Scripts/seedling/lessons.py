"""Documents about skills: statements, commands and questions, a few lines each."""

from .questions import frequent_question
from .skills import (NAMES, addition, animals, answering, calendar, colors, comparison, copying, counting,
                     ends_of_lists, letter_case, number_story, numbers_in_words, opposites, plurals, reversing,
                     sentiment, sorting_letters, sorting_numbers, spelling, subtraction)


def asking(stream):
    """A question and its answer."""
    question = frequent_question(stream)
    asked, answer = stream.choice(question.known), question.answer
    return stream.weighted([
        (f"Q: {asked} A: {answer}.", 60), (f"{asked} {answer}.", 15), (f"{asked} It is {answer}.", 10),
        (f'{stream.choice(NAMES)} asked, "{asked}" The answer was {answer}.', 15)])


# What a document about skills is made of, and how often.
SKILLS = [
    (copying, 9), (reversing, 8), (sorting_letters, 10), (sorting_numbers, 5), (counting, 10), (addition, 16),
    (subtraction, 9), (number_story, 6), (numbers_in_words, 2), (calendar, 10), (opposites, 7), (plurals, 6),
    (colors, 2), (animals, 3), (letter_case, 2), (spelling, 4), (ends_of_lists, 4), (comparison, 4), (sentiment, 4),
    (answering, 12), (asking, 60),
]


def lesson(stream):
    """One to six lines, about one skill or about several."""
    count = stream.between(1, 6)
    if stream.chance(50):
        skill = stream.weighted(SKILLS)
        return "\n".join(skill(stream) for _ in range(count))
    return "\n".join(stream.weighted(SKILLS)(stream) for _ in range(count))
