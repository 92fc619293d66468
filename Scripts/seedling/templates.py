"""Text with choices in it: `[one|two]` takes one of the alternatives, `{name}` takes a value."""

import re

CHOICE = re.compile(r"\[([^\[\]]*)\]")


def expand(template, stream, values):
    """Resolves the choices from the inside out, then fills in the values."""
    while "[" in template:
        template = CHOICE.sub(lambda match: stream.choice(match.group(1).split("|")), template)
    return template.format_map(values)


def capitalized(text):
    return text[:1].upper() + text[1:]
