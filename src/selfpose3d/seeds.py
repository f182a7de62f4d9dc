"""All randomness comes from (seed, stage, numbers)."""

import zlib

import numpy as np


def stage_rng(seed: int, stage: str, *numbers: int) -> np.random.Generator:
    """The generator of one iteration (or epoch, or variant) of a stage."""
    return np.random.default_rng([abs(seed), int(seed < 0), zlib.crc32(stage.encode()), *numbers])
