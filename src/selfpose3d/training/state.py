"""What a run needs to go on after it was killed, and its curves."""

import csv
import io
from collections.abc import Mapping, Sequence

from selfpose3d.training.step import DivergedError

BROKEN = "broken"
"""Among what is watched: 1 from the first loss on that is not finite."""
CURVE_POINTS = 500
"""Rows of curves.csv at most (about)."""
DIVERGED = "diverged.json"
"""Beside the checkpoint of a stage that broke off and kept what it had."""


def _not_finite(losses: Mapping[str, float]) -> DivergedError:
    terms = ", ".join(f"{name} = {value:.4g}" for name, value in losses.items())
    return DivergedError(
        f"the loss is not finite ({terms})", "learning_rate, batch_size, precision"
    )


def _as_csv(rows: Sequence[Mapping[str, float]]) -> str:
    buffer = io.StringIO()
    names = list(rows[0]) if rows else ["iteration", "seconds"]
    writer = csv.DictWriter(buffer, names, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({**row, "iteration": int(row["iteration"])})
    return buffer.getvalue()
