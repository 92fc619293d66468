"""Short reviews with the opinion of whoever wrote them: positive, negative, mixed or neutral.

Words alone do not tell: an adjective may be denied, denied twice, or be what other people say; "but" joins a fact to an
opinion as often as two opinions. No pair of a thing and what is said of it occurs in both sets.
"""

from seedling.templates import capitalized

THINGS = ("the soup/the film/the hotel/the room/the concert/the book/the service/the coffee/the museum/the train/the beach/"
          "the staff/the camera/the battery/the garden/the breakfast/the lesson/the phone/the play/the restaurant/the bread/"
          "the tour/the view/the music/the ending/the market/the screen/the chair/the boat/the cake").split("/")
GOOD = ("excellent wonderful delightful superb fantastic charming brilliant pleasant outstanding great perfect lovely good "
        "impressive marvelous").split()
BAD = ("awful terrible boring dreadful disappointing horrible dull unpleasant poor miserable useless bad annoying "
       "mediocre disgusting").split()
STRESSES = ["", "", "really ", "very ", "quite ", "truly ", "rather "]

# What is said with an adjective that is meant as it stands.
PLAIN = [
    ("{thing} was {stress}{adjective}", 1), ("{thing} turned out to be {stress}{adjective}", 1),
    ("I found {thing} {stress}{adjective}", 1), ("we all thought {thing} was {stress}{adjective}", 1),
    ("{thing} was {stress}{adjective} from start to end", 1), ("to me {thing} was simply {adjective}", 1),
]
# Less direct ways, and whether the adjective is meant as it stands or the other way round.
TURNED = [
    ("{thing} was not {adjective} at all", -1), ("{thing} was anything but {adjective}", -1),
    ("I would never call {thing} {adjective}", -1), ("nobody could say that {thing} was {adjective}", -1),
    ("{thing} was far from {adjective}", -1), ("I did not find {thing} {stress}{adjective}", -1),
    ("I would never say that {thing} was not {adjective}", 1), ("nobody could say that {thing} was not {adjective}", 1),
    ("people say that {thing} is {adjective} and they are right", 1),
    ("people say that {thing} is {adjective} and they are wrong", -1),
    ("my brother calls {thing} {adjective} and I agree", 1),
    ("my brother calls {thing} {adjective} and I do not agree", -1),
]
FACTS = [
    "we saw {thing} on Monday", "{thing} is near the river", "I wrote about {thing} in my letter",
    "my sister asked about {thing}", "{thing} is on page nine", "we talked about {thing} on the way",
    "I read about {thing} last week", "you can see {thing} in the picture", "they told us where {thing} was",
    "we paid for {thing} in cash", "{thing} is new this year", "she took a picture of {thing}",
]
SAME = ["{one}, and {two}.", "{one}. {Two}.", "{one} and also {two}.", "{one}; {two}."]
CONTRAST = ["{one}, but {two}.", "although {one}, {two}.", "{one}. Still, {two}.", "{one}, yet {two}."]


def is_held(thing, word):
    """Whether a pair belongs to the evaluation: one in six."""
    return sum(map(ord, thing + word)) % 6 == 0


class Writer:
    def __init__(self, stream, held):
        self.stream, self.held = stream, held

    def pair(self, words, thing=None):
        """A thing and a word of which the set may speak."""
        while True:
            chosen = thing or self.stream.choice(THINGS), self.stream.choice(words)
            if is_held(*chosen) == self.held:
                return chosen

    def opinion(self, polarity):
        form, sign = self.stream.choice(PLAIN if self.stream.chance(50) else TURNED)
        thing, adjective = self.pair(GOOD if polarity * sign > 0 else BAD)
        return form.format(thing=thing, adjective=adjective, stress=self.stream.choice(STRESSES))

    def fact(self):
        thing, form = self.pair(FACTS)
        return form.format(thing=thing)

    def join(self, forms, one, two):
        if self.stream.chance(50):
            one, two = two, one
        return self.stream.choice(forms).format(one=one, two=two, Two=capitalized(two))

    def sentence(self, label):
        kind = self.stream.below(4)
        if label == "neutral":
            text = self.fact() + "." if kind < 2 else self.join(SAME + CONTRAST, self.fact(), self.fact())
        elif label == "mixed":
            text = self.join(CONTRAST, self.opinion(1), self.opinion(-1))
        else:
            polarity = 1 if label == "positive" else -1
            if kind < 2:
                text = self.opinion(polarity) + "."
            elif kind == 2:
                text = self.join(SAME, self.opinion(polarity), self.opinion(polarity))
            else:
                text = self.join(SAME + CONTRAST, self.opinion(polarity), self.fact())
        return capitalized(text)


LABELS = ["positive", "negative", "mixed", "neutral"]


def sentence_set(stream, count, held):
    """`count` different sentences, as many of each label."""
    writer, seen, records = Writer(stream, held), set(), []
    while len(records) < count:
        label = LABELS[len(records) % len(LABELS)]
        text = writer.sentence(label)
        if text not in seen:
            seen.add(text)
            records.append({"text": text, "label": label})
    return stream.shuffled(records)
