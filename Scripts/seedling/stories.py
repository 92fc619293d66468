"""Short stories for small readers: a plot is a list of beats, a beat one sentence or two with choices in it.

A beat that starts with "?" is left out in four of ten stories.
"""

from .templates import capitalized, expand
from .words import ANIMALS, BOYS, COLORS, DAYS, FOODS, GIRLS, THINGS, article, number_word, with_plural

OPENINGS = [
    "[Once upon a time|Long ago|One day], there was a [little|small|kind|happy|clever] {child} named {hero}.",
    "{hero} was a [little|kind|brave|quiet|clever] {child} who lived [near the sea|in a small house|by a big forest|"
    "on a farm|in a town].",
    "On {day}, {hero} [went to|walked to|ran to] the [park|forest|garden|lake|market|river] "
    "with {his} [mom|dad|friend].",
    "It was a [sunny|cold|warm|windy|quiet|rainy] [day|morning|evening]. {hero} [sat by the window|was in the garden|"
    "looked at the sky|wanted to play outside].",
    "In a [small|green|quiet|far] [town|village|valley] lived a {child}. {His} name was {hero}.",
]

ENDINGS = [
    "{hero} was very happy.", "They were [good|best] friends [from that day|for ever|after that].",
    "{hero} [smiled|laughed] and went home.", "That night, {hero} slept well.", "It was a [good|wonderful|lovely] day.",
    "From then on, {hero} was always [kind|brave|careful].", "And they all [laughed|danced|sang] together.",
    "{hero} [told|wrote] {his} [mom|dad|grandma] all about it.", "The end.",
]

LOST = [
    "{He} had a {color} {thing}. {He} [loved|liked] the {thing} very much.",
    "?{He} took it [to bed|to school|to the park|everywhere] every day.",
    "[One day|One morning|Then], {he} could not find the {thing}. {hero} was [very sad|worried|upset].",
    "{He} looked [under the bed|behind the door|in the box|under the table] but it was not there.",
    "?{He} [began to cry|sat down|did not know what to do].",
    '{friend} came and asked, "Why are you sad?" "I lost my {thing}," said {hero}.',
    '"[Do not worry|Do not cry|I can help you]," said {friend}. "[We will look together|Let us look for it]."',
    "They looked and looked. [At last|Then|After some time] {friend} saw something {color} [under a tree|in the grass|"
    "behind a big stone|on the roof|near the pond].",
    'It was the {thing}! "[Thank you|Oh, thank you so much], {friend}," said {hero}.',
]

RESCUE = [
    "{hero} heard a [small|sad|strange] sound near the [tree|river|road|old house]. It was a {size} {animal}.",
    "The {animal} was [stuck in the mud|hurt|lost|cold and hungry|in a deep hole].",
    '"[Please help me|I want to go home|I am so afraid]," said the {animal}.',
    '"I will help you," said {hero}. {He} was [not afraid|very brave|kind].',
    "?{He} ran home to get [a rope|a blanket|some bread|some water].",
    "{He} [pulled and pulled|was slow and careful|worked hard] and then the {animal} was [free|safe|well again].",
    'The {animal} said, "{sound}! Thank you, {hero}."',
    "?The {animal} gave {him} {a_thing}.",
    "Every day after that, the {animal} came to [visit|see|play with] {hero}.",
]

BAKING = [
    "{hero} wanted to make {a_food} for {his} [mom|dad|grandma|teacher].",
    "{He} [took|needed] {count_word} eggs, some milk and some [sugar|flour|butter].",
    "?{friend} came to the kitchen to help.",
    "They mixed it in a [big|blue|white|deep] bowl and put it into the hot oven.",
    "But the {food} was [too salty|too hard|black on one side]. They had [used salt and not sugar|waited too long].",
    '"[We can try again|It is not the end of the world]," said {friend}.',
    "They [tried again|made it one more time], and this time the {food} was [sweet and soft|perfect|very good].",
    "They ate it together and gave the last piece to the {animal}.",
]

RAIN = [
    "{hero} wanted to play [outside|in the park|with {his} {thing}], but it [began to rain|was raining].",
    '"I do not like the rain," said {hero}.',
    '{His} [mom|dad|grandma] said, "[The rain is good for the flowers|The garden is thirsty|We can play inside]."',
    "So {hero} [made a boat of paper|painted a {color} picture|built a house of boxes|read a book about {animals}].",
    "?{friend} came in with wet shoes and a big smile.",
    "Then the rain stopped and the sun came out. There was a rainbow in the sky.",
    "{hero} saw red, orange, yellow, green, blue and purple.",
    "{He} jumped into {count_word} puddles and [laughed|got very wet].",
]

QUARREL = [
    "{hero} and {friend} had one {color} {thing}. They both wanted to play with it.",
    '"It is mine!" said {hero}. "No, it is mine!" said {friend}.',
    "They pulled and pulled, and the {thing} [broke|fell into the water|was broken in two].",
    "Now {hero} was [sad|angry] and {friend} was [sad|angry] too.",
    '{His} [mom|dad|teacher] said, "[If you share, you can both be happy|It is better to share|'
    'Be kind to your friend]."',
    '"I am sorry," said {hero}. "I am sorry too," said {friend}.',
    "They [mended the {thing}|found a new {thing}|made a better {thing}] and played with it together.",
    "?First {hero} had it, and then {friend} had it.",
]

LEARNING = [
    "{hero} wanted to learn to [ride a bike|swim|read|climb a tree|play the drum|fly a kite].",
    "It was [very hard|not easy|difficult]. {He} tried {count_word} times and it did not work.",
    '"I can not do it," {he} said. {He} was [sad|tired|angry].',
    '"[You can do it if you try again|Go slow and be brave|I was bad at it too when I was small]," said {friend}.',
    "So {hero} tried every day, [in the morning and in the evening|from {day} on|before and after school].",
    "[At last|One week later|Then, on a sunny day], {he} could do it!",
    '"Look at me!" {he} said. {friend} [clapped|cheered|was proud of {him}].',
]

MARKET = [
    "{His} [mom|dad|grandma] gave {him} {count_word} coins and a basket.",
    "At the market {he} saw [red apples|sweet cherries|big melons|fresh bread], {animals} and a man with {a_thing}.",
    '{He} asked, "How much is the {food}?" "{count} coins," said the [old man|woman|farmer].',
    "{hero} [counted the coins|looked into {his} bag] and bought {count_word} {foods}.",
    "?On the way home {he} met {a_animal}. The {animal} was hungry.",
    "{He} gave one {food} to {friend}, who was [hungry|waiting by the door|tired from work].",
    '"{hero} is a good {child}," said {his} grandma.',
]

NIGHT = [
    "It was night. The house was dark and quiet, and {hero} was in bed.",
    "Then {he} heard a sound: [tap, tap, tap|knock, knock|scratch, scratch|boom].",
    '"Who is there?" asked {hero}. {He} [hid under the blanket|held {his} {thing}|did not move].',
    "?The sound came again, and it was louder.",
    "{He} was afraid, but {he} [opened the door|took a lamp|looked out of the window].",
    "It was only {a_animal}! The {animal} said, \"{sound}.\"",
    "{hero} [laughed|was not afraid now] and gave it some [milk|bread|water].",
    "?Then the {animal} slept [at the end of the bed|under the chair|next to the door].",
]

RACE = [
    "The {animal} was fast and the {other} was slow. They lived near the [river|forest|farm].",
    '"I am faster than you," said the {animal}. "[We will see|Let us have a race]," said the {other}.',
    "{hero} said, \"One, two, three, go!\" and they ran.",
    "The {animal} was so fast that it [stopped to sleep|stopped to eat {a_food}|played with {a_thing} on the way].",
    "But the {other} did not stop. Step by step, it went on and on.",
    "When the {animal} [woke up|looked up], the {other} was at the end of the road. The {other} won!",
    "?\"{othersound}!\" said the {other}.",
    "The slow one can win and the fast one can lose.",
]

BIRTHDAY = [
    "It was the birthday of {friend}, and {hero} wanted to give {a_thing} to {friend}.",
    "But {he} had no [money|coins]. {He} thought and thought.",
    "So {he} [made {a_thing} of wood|painted a {color} {thing}|put {count_word} flowers in a {color} box].",
    "At the party there were {count_word} children, a big cake and many [songs|games|candles].",
    "{friend} opened the box. \"[This is the best gift of all|How beautiful|I love it]!\" said {friend}.",
    "?They played [a game|with the {animal}|outside] until the sun went down.",
]

GARDEN = [
    "{hero} had a [tiny|small|brown|round] seed. {He} put it into the ground.",
    "Every [day|morning] {he} gave it water. On {day} there was nothing, and on the next day there was nothing.",
    "?\"[Why does it not grow|Is it asleep]?\" asked {hero}. \"You must wait,\" said {friend}.",
    "Then a [small|tiny] green leaf came up. Soon there were {count_word} leaves.",
    "In summer it was [a tall plant|as tall as {friend}|a plant with {color} flowers].",
    "{A_animal} came to [look at it|sit under it|eat from it], and {hero} was proud.",
    "In autumn there were {count_word} [big|sweet|round] {foods}.",
]

PLOTS = [LOST, RESCUE, BAKING, RAIN, QUARREL, LEARNING, MARKET, NIGHT, RACE, BIRTHDAY, GARDEN]


def cast(stream):
    """The values of one story: who and what is in it."""
    girl = stream.chance(50)
    hero = stream.choice(GIRLS if girl else BOYS)
    friend = stream.choice([name for name in GIRLS + BOYS if name != hero])
    animal, other = stream.sample(ANIMALS, 2)
    food, foods = with_plural(stream.choice(FOODS))
    thing, things = with_plural(stream.choice(THINGS[:54]))
    count = stream.between(2, 9)
    he, him, his = ("she", "her", "her") if girl else ("he", "him", "his")
    return {
        "hero": hero, "friend": friend, "child": "girl" if girl else "boy",
        "he": he, "him": him, "his": his, "He": capitalized(he), "His": capitalized(his),
        "thing": thing, "things": things, "a_thing": article(thing), "color": stream.choice(COLORS),
        "food": food, "foods": foods, "a_food": article(food),
        "animal": animal[0], "animals": animal[1], "a_animal": article(animal[0]),
        "A_animal": capitalized(article(animal[0])), "sound": capitalized(animal[2]),
        "other": other[0], "othersound": capitalized(other[2]), "size": stream.choice(["small", "big", "young", "old"]),
        "day": stream.choice(DAYS), "count": count, "count_word": number_word(count),
    }


def story(stream):
    """One story of eight to fifteen sentences."""
    beats = [stream.choice(OPENINGS)]
    for beat in stream.choice(PLOTS):
        if not beat.startswith("?"):
            beats.append(beat)
        elif stream.chance(60):
            beats.append(beat[1:])
    beats.append(stream.choice(ENDINGS))
    values = cast(stream)
    return " ".join(expand(beat, stream, values) for beat in beats)
