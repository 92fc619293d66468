"""The closed vocabulary of the seedling corpus: what exists in its world, and what is true there."""

GIRLS = "Anna Mia Lily Sue Zoe Ruby Nora Ella Ivy Rose Jane Lucy".split()
BOYS = "Tom Ben Max Sam Leo Jack Tim Dan Noah Finn Paul Will".split()

DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January February March April May June July August September October November December".split()
SEASONS = "spring summer autumn winter".split()
LETTERS = "abcdefghijklmnopqrstuvwxyz"

ONES = ("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
        "sixteen seventeen eighteen nineteen").split()
TENS = ["", "", "twenty", "thirty", "forty"]


def number_word(number):
    """A whole number below fifty in words."""
    if number < 20:
        return ONES[number]
    return TENS[number // 10] + (" " + ONES[number % 10] if number % 10 else "")


# Each pair can be asked in both directions.
OPPOSITES = [pair.split("/") for pair in (
    "hot/cold big/small happy/sad fast/slow up/down open/closed wet/dry day/night old/young good/bad light/dark "
    "hard/soft high/low long/short full/empty clean/dirty loud/quiet early/late left/right rich/poor strong/weak "
    "thick/thin near/far in/out over/under first/last easy/difficult brave/afraid sweet/sour tall/tiny yes/no "
    "black/white begin/end push/pull come/go give/take buy/sell win/lose laugh/cry love/hate wide/narrow true/false "
    "always/never before/after inside/outside top/bottom asleep/awake friend/enemy kind/mean north/south east/west "
    "deep/shallow smooth/rough summer/winter morning/evening front/back heavy/feathery").split()]

# Things that can be held, lost, bought and counted. An entry without a plural takes "s".
THINGS = [entry.split("/") for entry in (
    "ball book hat cup kite box/boxes key ring coin drum bell doll boat lamp rope shoe sock spoon stone shell "
    "brush/brushes glass/glasses watch/watches knife/knives leaf/leaves basket blanket bottle button candle chair "
    "clock coat pencil pillow plate scarf/scarves toy train wagon whistle letter ticket flower feather stick star "
    "map bag dish/dishes dress/dresses bench/benches shelf/shelves tooth/teeth foot/feet").split()]
FOODS = [entry.split("/") for entry in (
    "apple pear plum cake pie egg nut bun cookie carrot bean potato/potatoes tomato/tomatoes peach/peaches "
    "berry/berries cherry/cherries lemon melon onion loaf/loaves sandwich/sandwiches pancake").split()]

# animal, plural, sound, home, young
ANIMALS = [tuple(entry.split("/")) for entry in (
    "cow/cows/moo/farm/calf dog/dogs/woof/house/puppy cat/cats/meow/house/kitten duck/ducks/quack/pond/duckling "
    "sheep/sheep/baa/farm/lamb pig/pigs/oink/farm/piglet horse/horses/neigh/farm/foal hen/hens/cluck/farm/chick "
    "frog/frogs/croak/pond/tadpole bee/bees/buzz/garden/larva lion/lions/roar/jungle/cub owl/owls/hoot/forest/owlet "
    "mouse/mice/squeak/field/pup goose/geese/honk/lake/gosling wolf/wolves/howl/forest/cub "
    "bird/birds/tweet/tree/chick donkey/donkeys/bray/farm/foal snake/snakes/hiss/desert/snakelet "
    "fox/foxes/bark/forest/kit bear/bears/growl/forest/cub").split()]
ANIMAL_LEGS = {"duck": 2, "hen": 2, "owl": 2, "goose": 2, "bird": 2, "bee": 6, "snake": 0}

COLORS = "red blue green yellow white black brown pink gray orange purple".split()
COLOR_FACTS = [tuple(entry.split("/")) for entry in (
    "the sky/blue grass/green snow/white coal/black the sun/yellow blood/red a lemon/yellow a cherry/red milk/white "
    "chocolate/brown a carrot/orange an elephant/gray a frog/green a crow/black the sea/blue a strawberry/red "
    "a pig/pink a banana/yellow mud/brown a plum/purple salt/white a leaf/green a pumpkin/orange the night/black"
    ).replace("the ", "the_").replace("a ", "a_").replace("an ", "an_").split()]
COLOR_FACTS = [(thing.replace("_", " "), color) for thing, color in COLOR_FACTS]

# Pairs of singular and plural that are not among the things, foods and animals.
PEOPLE_PLURALS = [entry.split("/") for entry in (
    "man/men woman/women child/children baby/babies boy/boys girl/girls king/kings queen/queens lady/ladies "
    "teacher/teachers farmer/farmers doctor/doctors tree/trees house/houses city/cities door/doors river/rivers "
    "church/churches wish/wishes story/stories wife/wives calf/calves").split()]


def with_plural(entry):
    """(singular, plural) of an entry of THINGS or FOODS."""
    return (entry[0], entry[1] if len(entry) > 1 else entry[0] + "s")


PLURALS = ([with_plural(entry) for entry in THINGS + FOODS]
           + [(animal[0], animal[1]) for animal in ANIMALS] + [tuple(entry) for entry in PEOPLE_PLURALS])

# Short words whose spelling the corpus teaches.
SPELLED = sorted({singular for singular, _ in PLURALS if len(singular) <= 6}
                 | {word for pair in OPPOSITES for word in pair if len(word) <= 5} | set(COLORS))

GOOD = "good great lovely funny wonderful sweet bright happy nice fine perfect beautiful".split()
BAD = "bad awful boring ugly sad terrible dull nasty horrible broken dirty sour".split()
REVIEWED = "film book song meal soup hotel game play show room trip party story school shop garden".split()


def article(word):
    """The word with "a" or "an" before it."""
    return ("an " if word[0] in "aeiou" else "a ") + word
