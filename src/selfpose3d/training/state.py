"""What a run watches of itself."""

from collections.abc import Mapping

from selfpose3d.training.step import DivergedError

BROKEN = "broken"
"""Among what is watched: 1 from the first loss on that is not finite."""
CURVE_POINTS = 500
"""Rows of curves.csv at most (about)."""


def _not_finite(losses: Mapping[str, float]) -> DivergedError:
    terms = ", ".join(f"{name} = {value:.4g}" for name, value in losses.items())
    return DivergedError(
        f"the loss is not finite ({terms})", "learning_rate, batch_size, precision"
    )
