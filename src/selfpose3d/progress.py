"""Progress of long work: a bar on a terminal, a line now and then in a log file."""

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")

SECONDS_BETWEEN_LINES = 15.0


def track(
    items: Iterable[T], description: str, total: int | None = None, unit: str = "it"
) -> Iterator[T]:
    """Yield ``items``, showing the rate and the time left on standard error.

    Args:
        items: what to go through.
        description: a few words on the work.
        total: the number of items, where ``len(items)`` can't tell.
        unit: what one item is, for the rate ("frames" gives "frames/s").
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    if sys.stderr.isatty():
        yield from tqdm(items, desc=description, total=total, unit=f" {unit}", smoothing=0.05)
        return
    yield from _track_in_lines(items, description, total, unit)


def _track_in_lines(
    items: Iterable[T], description: str, total: int | None, unit: str
) -> Iterator[T]:
    start = last = time.monotonic()
    count = 0
    for item in items:
        yield item
        count += 1
        now = time.monotonic()
        if now - last >= SECONDS_BETWEEN_LINES:
            last = now
            print(_line(description, count, total, now - start, unit), file=sys.stderr, flush=True)
    elapsed = time.monotonic() - start
    print(_line(description, count, total, elapsed, unit), file=sys.stderr, flush=True)


def _line(description: str, count: int, total: int | None, elapsed: float, unit: str) -> str:
    rate = count / elapsed if elapsed > 0 else 0.0
    line = f"{description}: {count}{f'/{total}' if total else ''} {unit}, {rate:.3g} {unit}/s"
    if total and rate > 0 and count < total:
        return f"{line}, {_clock((total - count) / rate)} left"
    return f"{line}, {_clock(elapsed)} spent"


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
