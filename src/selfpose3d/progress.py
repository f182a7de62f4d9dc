"""Progress of long work: a bar on a terminal; in a log file a line now and then, and rarer ones on
the console of the workflow that started the work."""

import os
import sys
import time
from collections.abc import Iterable, Iterator, Sized
from contextlib import suppress
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")

SECONDS_BETWEEN_LINES = 15.0
SECONDS_BETWEEN_CONSOLE_LINES = 30.0
CONSOLE = "SELFPOSE3D_CONSOLE"
"""Environment variable with the number of the open descriptor that leads to the console, set by the
workflow, whose jobs write standard error to a log file."""


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


class _Console:
    """Where a process tells how far it is, beside its log: rarely, as many may share it."""

    def __init__(self) -> None:
        self.name = ""
        self.descriptor: int | None = None
        self.last = 0.0

    def open(self, descriptor: int, name: str) -> None:
        """Write to a copy of the descriptor, which processes started from here do not inherit."""
        self.name, self.descriptor = name, os.dup(descriptor)
        self.last = time.monotonic()

    def tell(self, line: str) -> None:
        """Write the line, unless the last one is too recent."""
        now = time.monotonic()
        if now - self.last >= SECONDS_BETWEEN_CONSOLE_LINES:
            self.last = now
            self.write(line)

    def write(self, line: str) -> None:
        """Write the line, unless there is nobody to read it."""
        if self.descriptor is None:
            return
        try:
            os.write(self.descriptor, f"{self.name}: {line}\n".encode())
        except OSError:  # the terminal was closed: the work goes on
            self.descriptor = None


_console = _Console()


def open_console(name: str) -> None:
    """Tell the progress of this process on the console too, if the workflow left one open.

    The variable ``CONSOLE`` is taken out of the environment: the descriptor is another file, or
    none, in the processes that this one starts.

    Args:
        name: of the command, before each line, as several jobs share the console.
    """
    descriptor = os.environ.pop(CONSOLE, "")
    if descriptor.isdecimal():
        with suppress(OSError):  # closed on the way here: there is no console
            _console.open(int(descriptor), name)


def announce(line: str) -> None:
    """Write a line that everybody is to see on the console of the workflow, if it left one open."""
    _console.write(line)


def tell(remark: str) -> None:
    """Say what the user should know, on standard error and on the console of the workflow."""
    print(remark, file=sys.stderr, flush=True)
    announce(remark)


def _track_in_lines(
    items: Iterable[T], description: str, total: int | None, unit: str
) -> Iterator[T]:
    start = last = time.monotonic()
    count = 0
    for item in items:
        yield item
        count += 1
        now = time.monotonic()
        line = _line(description, count, total, now - start, unit)
        _console.tell(line)
        if now - last >= SECONDS_BETWEEN_LINES:
            last = now
            print(line, file=sys.stderr, flush=True)
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
