"""Files as they get broken: pieces lost, doubled or exchanged, and values of another kind."""

import random
from typing import Any

TOKENS = (
    "nan",
    "1e400",
    "-0",
    "[",
    "]",
    "{",
    "}",
    '"',
    "<",
    ">",
    "null",
    "true",
    "1e9",
    "\0",
    "é",
    ",",
)


def mutated(text: str, rng: random.Random) -> str:
    """Text with one to four places cut, doubled, exchanged or overwritten."""
    for _ in range(rng.randint(1, 4)):
        at, length = rng.randrange(max(1, len(text))), rng.choice((1, 1, 3, 12, 80, 400))
        piece, rest = text[at : at + length], text[at + length :]
        kind = rng.randrange(5)
        if kind == 0:
            piece = ""
        elif kind == 1:
            piece = piece * 2
        elif kind == 2:
            piece = rng.choice(TOKENS)
        elif kind == 3:
            piece = "".join(rng.choice("0123456789.-e") if c.isdigit() else c for c in piece)
        else:
            other = rng.randrange(max(1, len(text)))
            piece = text[other : other + length]
        text = text[:at] + piece + rest
    return text


VALUES: list[Any] = [None, True, "x", "", [], {}, 0, -1, 1e300, 1e-300, [[1, 2], [3]], 10**400]


def with_a_wrong_value(content: Any, rng: random.Random) -> Any:
    """Lists and mappings in which one value, anywhere, is another or gone; changed in place."""
    places: list[tuple[Any, Any]] = []
    waiting = [content]
    while waiting:
        holder = waiting.pop()
        keys = list(holder) if isinstance(holder, dict) else range(len(holder))
        places += [(holder, key) for key in keys]
        waiting += [holder[key] for key in keys if isinstance(holder[key], dict | list)]
    holder, key = rng.choice(places)
    if rng.random() < 0.25:
        del holder[key]
    else:
        holder[key] = rng.choice(VALUES)
    return content
