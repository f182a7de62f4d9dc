"""Type of the entries in the table of weights."""

from dataclasses import dataclass

from selfpose3d.tables import Step


@dataclass(frozen=True)
class WeightsEntry:
    """Weights that are fetched.

    Args:
        fetch: ``(folder, parameters, cache) -> None``; ``parameters`` are those that it reads, and
            ``cache`` keeps downloads that broke off.
        reads: the parameters that say which weights, and where they come from.
    """

    fetch: Step
    reads: tuple[str, ...] = ()
