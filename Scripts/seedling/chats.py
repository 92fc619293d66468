"""Short conversations in ChatML, so that the tokens of the chat template are not strangers to the base."""

from .questions import frequent_question
from .stories import story
from .templates import capitalized, expand
from .words import ANIMALS, BOYS, COLOR_FACTS, DAYS, GIRLS, article

GREETINGS = [
    ("[Hello|Hi|Good morning|Good evening]!",
     "[Hello|Hi|Good day]! [How are you|What can I do for you|It is good to see you]?"),
    ("How are you?", "I am [well|happy|fine], thank you. And you?"),
    ("What is your name?", "I am Seedling, a [small|little|young] language model."),
    ("My name is {name}.", "[Hello|Hi], {name}! [It is good to meet you|That is a lovely name]."),
    ("Thank you!", "You are welcome."),
    ("[Goodbye|Good night|I must go now].", "[Goodbye|Good night]! [Sleep well|Come back soon]."),
    ("What day comes after {day}?", "After {day} comes {next_day}."),
    ("What does {a_animal} say?", "{A_animal} says {sound}."),
    ("What color is {thing}?", "{Thing} is {color}."),
]


def turn(stream):
    """What the user says and what the assistant answers."""
    kind = stream.below(10)
    if kind == 0:
        return expand("[Tell me|Please tell me|I want to hear] a story.", stream, {}), story(stream)
    if kind <= 5:
        question = frequent_question(stream)
        return stream.choice(question.known), f"The answer is {question.answer}."
    day = stream.below(7)
    animal, thing = stream.choice(ANIMALS), stream.choice(COLOR_FACTS)
    values = {"name": stream.choice(GIRLS + BOYS), "day": DAYS[day], "next_day": DAYS[(day + 1) % 7],
              "a_animal": article(animal[0]), "A_animal": capitalized(article(animal[0])), "sound": animal[2],
              "thing": thing[0], "Thing": capitalized(thing[0]), "color": thing[1]}
    asked, answer = stream.choice(GREETINGS)
    return expand(asked, stream, values), expand(answer, stream, values)


def chat(stream):
    """A conversation of one to three turns, as the chat template writes it."""
    text = ""
    for _ in range(stream.between(1, 3)):
        asked, answer = turn(stream)
        text += f"<|im_start|>user\n{asked}<|im_end|>\n<|im_start|>assistant\n{answer}<|im_end|>\n"
    return text
