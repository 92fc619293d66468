"""Random numbers that are the same on every machine and in every version of Python."""

import hashlib

MASK = (1 << 64) - 1


class Stream:
    """SplitMix64, started from a seed and a label; streams with different labels are independent.

    Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators" (OOPSLA 2014). Integers only.
    """

    def __init__(self, seed, label):
        digest = hashlib.sha256(f"{seed}/{label}".encode("utf-8")).digest()
        self.state = int.from_bytes(digest[:8], "big")

    def below(self, limit):
        """A whole number from 0 up to, not including, `limit`."""
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        bits = self.state
        bits = ((bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        bits = ((bits ^ (bits >> 27)) * 0x94D049BB133111EB) & MASK
        return ((bits ^ (bits >> 31)) * limit) >> 64

    def between(self, low, high):
        """A whole number from `low` to `high`, both included."""
        return low + self.below(high - low + 1)

    def choice(self, items):
        return items[self.below(len(items))]

    def chance(self, percent):
        """True in `percent` of a hundred cases."""
        return self.below(100) < percent

    def shuffled(self, items):
        """A new list with the items in random order (Fisher-Yates)."""
        items = list(items)
        for last in range(len(items) - 1, 0, -1):
            other = self.below(last + 1)
            items[last], items[other] = items[other], items[last]
        return items

    def sample(self, items, count):
        """`count` different places of `items`, in random order."""
        items = list(items)
        for place in range(count):
            other = self.between(place, len(items) - 1)
            items[place], items[other] = items[other], items[place]
        return items[:count]

    def weighted(self, pairs):
        """One of the values of `[(value, weight), ...]`."""
        ticket = self.below(sum(weight for _, weight in pairs))
        for value, weight in pairs:
            if ticket < weight:
                return value
            ticket -= weight
