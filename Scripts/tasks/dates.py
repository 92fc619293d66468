"""Dates as people write them, and as ISO 8601 has them."""

import datetime

MONTHS = "January February March April May June July August September October November December".split()
WEEKDAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
ORDINALS = ("first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth "
            "sixteenth seventeenth eighteenth nineteenth twentieth twenty-first twenty-second twenty-third twenty-fourth "
            "twenty-fifth twenty-sixth twenty-seventh twenty-eighth twenty-ninth thirtieth thirty-first").split()


def suffix(day):
    return "th" if 10 < day < 14 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")


# With year y, day d, month m and the words for them.
FORMS = [
    lambda y, m, d, month, weekday: f"{month} {d}, {y}",
    lambda y, m, d, month, weekday: f"{d} {month} {y}",
    lambda y, m, d, month, weekday: f"the {d}{suffix(d)} of {month} {y}",
    lambda y, m, d, month, weekday: f"{d}.{m}.{y}",
    lambda y, m, d, month, weekday: f"{weekday[:3]}, {d} {month[:3]} {y}",
    lambda y, m, d, month, weekday: f"{weekday}, {month} {d}{suffix(d)}, {y}",
    lambda y, m, d, month, weekday: f"on the {ORDINALS[d - 1]} of {month}, {y}",
    lambda y, m, d, month, weekday: f"{weekday} the {ORDINALS[d - 1]} of {month[:3]}. {y}",
]


def date_sets(stream, counts):
    """Sets of the given sizes that have no day in common."""
    first = datetime.date(1900, 1, 1).toordinal()
    days = stream.sample(range(first, datetime.date(2100, 1, 1).toordinal()), sum(counts))
    records = []
    for ordinal in days:
        day = datetime.date.fromordinal(ordinal)
        written = stream.choice(FORMS)(day.year, day.month, day.day, MONTHS[day.month - 1], WEEKDAYS[day.weekday()])
        records.append({"source": written, "target": day.isoformat()})
    return [records[sum(counts[:index]):sum(counts[:index + 1])] for index in range(len(counts))]
