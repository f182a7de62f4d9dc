"""Files of an examination: ``rig.json`` with everything found, ``rig.png`` with the drawing."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from selfpose3d.files.atomic import whole_file, write_json
from selfpose3d.files.scenes import write_image
from selfpose3d.rig.examination import Examination
from selfpose3d.rig.picture import draw
from selfpose3d.rig.refinement import Refinement


def write_examination(out: Path, found: Examination, told: Sequence[str]) -> None:
    """Write ``rig.json`` and ``rig.png`` into a folder.

    The JSON has ``sentences``, ``findings`` (see ``findings.Finding``), ``cameras`` (figures by
    name), ``world``, ``explained`` and ``explained_after`` (shares of the 2D people).
    """
    facts = {
        "sentences": list(told),
        "findings": [asdict(one) for one in found.findings],
        "cameras": {name: asdict(one) for name, one in found.figures.items()},
        "offsets": dict(found.offsets),
        "world": {name: _plain(value) for name, value in asdict(found.world).items()},
        "explained": found.explained,
        "explained_after": found.explained_after,
    }
    write_json(out / "rig.json", _finite(facts))
    with whole_file(out / "rig.png") as temporary:
        write_image(temporary, draw(found))


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else value


def _finite(value: Any) -> Any:
    """The same with None for numbers that are not finite, as JSON wants it."""
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def refinement_sentence(found: Refinement, out: Path) -> str:
    """A sentence on what a refinement gained, and whether it was written."""
    change = (
        f"from {found.held_out_before:.2f} to {found.held_out_after:.2f} px on frames that the fit "
        f"did not see, from {found.fitted_before:.2f} to {found.fitted_after:.2f} px on the others"
    )
    if found.kept_given:
        return f"The calibration is kept: refined poses change the error {change}."
    return f"Refined cameras are in {out}: the median error falls {change}."
