"""Small skills as the corpus phrases them: every function makes one line and needs nothing but a stream."""

from .templates import capitalized, expand
from .words import (ANIMAL_LEGS, ANIMALS, BAD, BOYS, COLOR_FACTS, COLORS, DAYS, FOODS, GIRLS, GOOD, LETTERS, MONTHS,
                    OPPOSITES, PLURALS, REVIEWED, SEASONS, SPELLED, THINGS, article, number_word, with_plural)

NAMES = GIRLS + BOYS
COPIED = [singular for singular, _ in PLURALS] + COLORS


def letters(stream, low, high):
    """Different letters with spaces between them."""
    return stream.sample(LETTERS, stream.between(low, high))


def line(stream, templates, **values):
    return expand(stream.choice(templates), stream, values)


def copying(stream):
    if stream.chance(50):
        items = stream.sample(COPIED, stream.between(2, 7))
    elif stream.chance(70):
        items = letters(stream, 2, 6)
    else:
        items = [str(stream.below(10)) for _ in range(stream.between(2, 5))]
    return line(stream, ["copy {x} -> {x}.", "Say {x}. I say {x}.", "{x} and again {x}.",
                         '{name} said "{x}" and the parrot said "{x}" too.'],
                x=" ".join(items), name=stream.choice(NAMES))


def reversing(stream):
    items = letters(stream, 2, 5) if stream.chance(80) else stream.sample(COPIED, stream.between(2, 4))
    return line(stream, ["reverse {x} -> {y}.", "{x} backwards is {y}.", "From the last to the first, {x} is {y}."],
                x=" ".join(items), y=" ".join(reversed(items)))


def sorting_letters(stream):
    items = letters(stream, 2, 5)
    return line(stream, ["sort {x} -> {y}.", "The letters {x} in order are {y}.", "In order, {x} is {y}."],
                x=" ".join(items), y=" ".join(sorted(items)))


def sorting_numbers(stream):
    items = stream.sample("0123456789", stream.between(2, 5))
    return line(stream, ["sort {x} -> {y}.", "The numbers {x} in order are {y}.", "In order, {x} is {y}."],
                x=" ".join(items), y=" ".join(sorted(items)))


def counting(stream):
    singular, plural = with_plural(stream.choice(THINGS + FOODS)) if stream.chance(60) else stream.choice(ANIMALS)[:2]
    count = stream.between(1, 9)
    if stream.chance(35):
        letter = stream.choice(LETTERS)
        return line(stream, ["count {x} -> {n}.", "{x} is {n}."], x=" ".join([letter] * count), n=count)
    return line(stream, ["count {x} -> {n}.", "I see {x}. That is {n} {noun}.", "{x}: {n} {noun}.",
                         "{name} has {x}. So {name} has {n} {noun}."],
                x=" ".join([singular] * count), n=count, noun=singular if count == 1 else plural,
                name=stream.choice(NAMES))


def addition(stream):
    a, b = stream.below(21), stream.below(21)
    if stream.chance(80):
        a, b = a % 11, b % 11
    return line(stream, ["{a} + {b} = {c}.", "{a} + {b} = {c}.", "{a} + {b} = {c}.", "{a} and {b} make {c}.",
                         "{A} and {b_word} make {c_word}.", "{A} and {b_word}: {a} + {b} = {c}."],
                a=a, b=b, c=a + b, A=capitalized(number_word(a)), b_word=number_word(b), c_word=number_word(a + b))


def subtraction(stream):
    a = stream.below(21)
    b = stream.between(0, a)
    return line(stream, ["{a} - {b} = {c}.", "{a} - {b} = {c}.", "{b} from {a} leaves {c}.",
                         "{A} take away {b_word} leaves {c_word}.", "{A} take away {b_word}: {a} - {b} = {c}."],
                a=a, b=b, c=a - b, A=capitalized(number_word(a)), b_word=number_word(b), c_word=number_word(a - b))


def number_story(stream):
    """An addition or a subtraction that happens to somebody."""
    name = stream.choice(NAMES)
    _, plural = with_plural(stream.choice(THINGS + FOODS))
    a, b = stream.between(2, 12), stream.between(2, 9)
    if stream.chance(50):
        return line(stream, ["{name} has {a} {noun} and [gets|buys|finds] {b} more. "
                             "{a} + {b} = {c}. {name} has {c} {noun}."],
                    name=name, a=a, b=b, c=a + b, noun=plural)
    a += b
    return line(stream, ["{name} has {a} {noun} and [loses|sells|gives away] {b}. "
                         "{a} - {b} = {c}. {name} has {c} {noun}."],
                name=name, a=a, b=b, c=a - b, noun=plural)


def numbers_in_words(stream):
    number = stream.below(50)
    return line(stream, ["{n} is {word}.", "{word} -> {n}."], n=number, word=number_word(number))


def calendar(stream):
    cycle, unit = stream.weighted([((DAYS, "day"), 45), ((MONTHS, "month"), 45), ((SEASONS, "season"), 10)])
    place = stream.below(len(cycle))
    now, following = cycle[place], cycle[(place + 1) % len(cycle)]
    return line(stream, ["The {unit} after {now} is {next}.", "After {now} comes {next}.", "next {now} -> {next}.",
                         "Before {next} comes {now}.", "The {unit} before {next} is {now}.", "before {next} -> {now}.",
                         "If it is {now} now, the next {unit} is {next}."],
                unit=unit, now=now, next=following)


def opposites(stream):
    pair = stream.choice(OPPOSITES)
    x, y = pair if stream.chance(50) else reversed(pair)
    return line(stream, ["The opposite of {x} is {y}.", "opposite {x} -> {y}.", "Not {x} but {y}.",
                         "{x} and {y} are opposites."],
                x=x, y=y)


def plurals(stream):
    singular, plural = stream.choice(PLURALS)
    return line(stream, ["One {x}, two {y}.", "many {x} -> {y}.", "{name} saw one {x} and then {n} {y}.",
                         "One {x} and one {x} are two {y}."],
                x=singular, y=plural, name=stream.choice(NAMES), n=stream.between(2, 9))


def colors(stream):
    thing, color = stream.choice(COLOR_FACTS)
    return line(stream, ["{Thing} is {color}.", "color of {thing} -> {color}.", "The color of {thing} is {color}."],
                thing=thing, Thing=capitalized(thing), color=color)


def animals(stream):
    animal, _, sound, home, young = stream.choice(ANIMALS)
    return line(stream, ["{A} says {sound}.", "sound of {a} -> {sound}.", "{A} lives {there}.",
                         "home of {a} -> {home}.", "A young {x} is called {young}.", "{A} has {legs} legs."],
                x=animal, a=article(animal), A=capitalized(article(animal)), sound=sound, home=home,
                there="on the farm" if home == "farm" else f"in the {home}", young=article(young),
                legs=ANIMAL_LEGS.get(animal, 4))


def letter_case(stream):
    if stream.chance(60):
        small = " ".join(letters(stream, 1, 5))
    else:
        small = stream.choice(SPELLED)
    return line(stream, ["upper {x} -> {X}.", "lower {X} -> {x}.", "{x} in big letters is {X}.",
                         "{X} in small letters is {x}."],
                x=small, X=small.upper())


def spelling(stream):
    word = stream.choice(SPELLED)
    return line(stream, ["spell {word} -> {letters}.", "{letters} spells {word}.", "{word} begins with {first}.",
                         "{word} ends with {last}.", "{word} is {letters}, from {first} to {last}."],
                word=word, letters=" ".join(word), first=word[0], last=word[-1])


def ends_of_lists(stream):
    items = letters(stream, 3, 6) if stream.chance(50) else stream.sample(COPIED, stream.between(3, 5))
    return line(stream, ["first {x} -> {first}.", "last {x} -> {last}.", "The first of {x} is {first}.",
                         "The last of {x} is {last}."],
                x=" ".join(items), first=items[0], last=items[-1])


def comparison(stream):
    high = 10 if stream.chance(40) else 100
    a, b = stream.sample(range(high), 2)
    return line(stream, ["{big} is bigger than {small}.", "{small} is smaller than {big}.", 
                         "bigger {a} or {b} -> {big}.", "smaller {a} or {b} -> {small}.",
                         "Of {a} and {b}, the bigger is {big}.",
                         "Of {a} and {b}, the smaller is {small}."],
                a=a, b=b, big=max(a, b), small=min(a, b))


def review(stream, good):
    """One or two sentences of praise or blame, without the verdict."""
    words = stream.sample(GOOD if good else BAD, 2)
    if good:
        opinion = "[I loved|We liked|I want to see|My friends love]"
    else:
        opinion = "[I hated|We did not like|I was angry about|I do not want to see]"
    opinion += " the {thing}"
    return line(stream, ["The {thing} was {x}.", "The {thing} was {x} and {y}.", "What {a_x} {thing}!", opinion + ".",
                         opinion + ". It was [so|very|really] {x}.",
                         "The {thing} was [so|very|really] {x}. It was {y} too."],
                thing=stream.choice(REVIEWED), x=words[0], y=words[1], a_x=article(words[0]))


def sentiment(stream):
    good = stream.chance(50)
    return line(stream, ["{review} This feels {word}.", "{review} -> feels {word}.",
                         "review: {review} feeling: {word}."],
                review=review(stream, good), word="good" if good else "bad")


def question(stream):
    """A story of one sentence as (story, question, answer)."""
    one, two = stream.sample(NAMES, 2)
    thing, _ = with_plural(stream.choice(THINGS + FOODS))
    color = stream.choice(COLORS)
    place = stream.choice("park garden forest market lake school kitchen farm".split())
    return stream.choice([
        (f"{one} gave the {thing} to {two}.", f"Who has the {thing}?", two),
        (f"{one} put {article(color)} {thing} in the {place}.", f"Where is the {thing}?", place),
        (f"{one} has {article(color)} {thing}.", f"What color is the {thing}?", color),
        (f"{one} saw {two} in the {place}.", f"Where was {two}?", place),
        (f"{one} found {article(color)} {thing} near the {place}.", f"Who found the {thing}?", one),
        (f"{one} and {two} went to the {place} with {article(thing)}.", "What did they have?", thing),
    ])


def answering(stream):
    story, asked, answer = question(stream)
    return f"{story} {asked} {capitalized(answer)}." if stream.chance(50) else f"{story} {asked} -> {answer}."
