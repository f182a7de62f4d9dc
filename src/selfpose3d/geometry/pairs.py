"""Pairs of things that belong to one frame, for all frames at once."""

import numpy as np
from numpy.typing import NDArray

Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Indices of the first and of the second of each pair, (M,) and (M,)."""


def pairs_within(frame: NDArray[np.int64]) -> Pairs:
    """All pairs of the same frame, of things whose frames (N,) ascend."""
    here = np.arange(len(frame))
    return _with_all(here, here + 1, np.searchsorted(frame, frame, side="right"))


def pairs_between(first: NDArray[np.int64], second: NDArray[np.int64]) -> Pairs:
    """All pairs of the same frame, of two kinds of things whose frames ascend."""
    start, end = (np.searchsorted(second, first, side=side) for side in ("left", "right"))
    return _with_all(np.arange(len(first)), start, end)


def _with_all(first: NDArray[np.int64], start: NDArray[np.int64], end: NDArray[np.int64]) -> Pairs:
    """Each of the first with all from its start up to its end."""
    counts = end - start
    place = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.repeat(first, counts), np.repeat(start, counts) + place
