"""A thousand broken calibrations of every format: read, or refused in words; nothing else."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from calibration_rigs import HOLDS, ring, write
from selfpose3d.calibrations import World
from selfpose3d.calibrations.conversion import read_calibration
from selfpose3d.errors import InputError
from selfpose3d.geometry.cameras import project

EACH = 84
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


def with_a_wrong_value(text: str, rng: random.Random) -> str:
    """JSON in which one value, anywhere, is another or gone."""
    content = json.loads(text)
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
    return json.dumps(content)


@pytest.mark.parametrize("name", HOLDS)
def test_a_broken_calibration_is_read_or_refused(tmp_path: Path, name: str) -> None:
    path = write(name, tmp_path, ring("none" if name == "Vicon" else "brown 5"))
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    encoding = "utf-16" if name == "OptiTrack" else "utf-8"
    sound = {file: file.read_text(encoding) for file in files}
    rng = random.Random(name)
    refused = 0
    for _ in range(EACH):
        broken = rng.choice(files)
        breaks = with_a_wrong_value if broken.suffix == ".json" and rng.random() < 0.5 else mutated
        broken.write_text(breaks(sound[broken], rng), encoding, "replace")
        try:
            _, cameras = read_calibration(path, None, World(size=(640, 384)))
        except InputError as error:
            refused += 1
            assert 20 < len(str(error)) < 5000
        else:
            assert all(project(c, c.centre + 1000 * c.R[2])[1] > 0 for c in cameras)
        broken.write_text(sound[broken], encoding)
    assert EACH // 4 < refused <= EACH


def test_there_are_a_thousand() -> None:
    assert len(HOLDS) * EACH >= 1000
