"""Hundreds of broken parameter files: read and planned, or refused in words; nothing else."""

import copy
import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from mutations import mutated, with_a_wrong_value
from selfpose3d.errors import InputError
from selfpose3d.parameters import load_parameters
from selfpose3d.plan.planning import make_plan

EACH = 150
SECONDS = 20
"""In which a file is read and planned, on any machine."""
PARAMETERS = Path(__file__).parents[2] / "params.yaml"


@contextmanager
def time_limit() -> Iterator[None]:
    def late(*_: object) -> None:
        raise TimeoutError(f"not done within {SECONDS} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def read_and_plan(*paths: Path) -> bool:
    """Whether files were accepted; a refusal must be a message of a sensible length."""
    with time_limit():
        try:
            make_plan(load_parameters(paths))
        except InputError as error:
            assert 20 < len(str(error)) < 5000
            return False
    return True


def test_a_broken_text_is_read_or_refused(tmp_path: Path) -> None:
    rng, text = random.Random(1), PARAMETERS.read_text()
    path = tmp_path / "params.yaml"
    refused = 0
    for _ in range(EACH):
        path.write_text(mutated(text, rng), "utf-8", "replace")
        refused += not read_and_plan(path)
    assert EACH // 4 < refused < EACH


def test_a_wrong_value_is_read_or_refused(tmp_path: Path) -> None:
    rng, sound = random.Random(2), yaml.safe_load(PARAMETERS.read_text())
    path = tmp_path / "params.yaml"
    refused = 0
    for _ in range(EACH):
        broken = with_a_wrong_value(copy.deepcopy(sound), rng)
        path.write_text(yaml.safe_dump(broken))
        refused += not read_and_plan(path)
    assert EACH // 4 < refused < EACH


@pytest.mark.parametrize("value", ["{0}", "[{0}]", "{{a: {0}}}"])
def test_numbers_without_end_are_refused(tmp_path: Path, value: str) -> None:
    path = tmp_path / "overlay.yaml"
    path.write_text(f"studio: {{train_sequences: {value.format(10**12)}}}\n")
    assert not read_and_plan(PARAMETERS, path)
