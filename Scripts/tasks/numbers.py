"""Whole numbers below 100,000 in English words and in German ones, which put the units before the tens."""

ENGLISH = ("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
           "eighteen nineteen").split()
ENGLISH_TENS = "- - twenty thirty forty fifty sixty seventy eighty ninety".split()
GERMAN = ("null ein zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn siebzehn "
          "achtzehn neunzehn").split()
GERMAN_TENS = "- - zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig".split()


def english(number):
    if number < 20:
        return ENGLISH[number]
    if number < 100:
        return ENGLISH_TENS[number // 10] + (f"-{ENGLISH[number % 10]}" if number % 10 else "")
    if number < 1000:
        return f"{ENGLISH[number // 100]} hundred" + (f" and {english(number % 100)}" if number % 100 else "")
    rest = number % 1000
    return f"{english(number // 1000)} thousand" + (f"{' and' if rest < 100 else ''} {english(rest)}" if rest else "")


def german(number, ends=True):
    """`ends`: whether nothing follows, where a last "ein" is "eins"."""
    if number < 20:
        return "eins" if number == 1 and ends else GERMAN[number]
    if number < 100:
        return (f"{GERMAN[number % 10]}und" if number % 10 else "") + GERMAN_TENS[number // 10]
    unit, word = (100, "hundert") if number < 1000 else (1000, "tausend")
    return german(number // unit, ends=False) + word + (german(number % unit) if number % unit else "")


def number_sets(stream, counts):
    """Sets of the given sizes that have no number in common."""
    numbers = stream.sample(range(100_000), sum(counts))
    records = [{"source": english(number), "target": german(number)} for number in numbers]
    return [records[sum(counts[:index]):sum(counts[:index + 1])] for index in range(len(counts))]


# The pieces that German numbers are put together from.
GERMAN_PIECES = sorted({*GERMAN, *GERMAN_TENS[2:], "eins", "und", "hundert", "tausend"})
