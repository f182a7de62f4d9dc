"""The stages' loss curves against those that are kept (``golden_curves.py`` makes them)."""

from unittest import mock

import numpy as np
import pandas as pd
import pytest

from golden_curves import CURVES, FOLDER, golden_curve, make_curves
from selfpose3d.training import loop

ROUNDING = (5e-4, 1e-9)
"""Relative and absolute tolerance. With the kernels of another processor (AVX2 for AVX-512, other
blocking) the curves of the 3D networks move by up to 3e-5 of their value; five percent more
learning rate, or one mm more noise of the cuboids' centres, by 1e-2 and more."""
LOOSER = {
    "backbone": (3e-3, 0.0),  # other kernels: 9e-4; five percent more learning rate: 7e-3
    "pose_images": (1e-2, 2e-6),  # builds on that backbone: 2e-3, of the tiny root losses 5e-7
}


@pytest.fixture(scope="module", params=[False, True], ids=["", "drawn ahead"])
def curves(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, pd.DataFrame]:
    """As here, and with batches drawn by a thread, as beside a GPU."""
    with mock.patch.object(loop, "_ahead", lambda device: request.param):
        return make_curves(tmp_path_factory.mktemp("golden"))


def test_every_kept_curve_is_compared() -> None:
    assert {path.stem for path in FOLDER.glob("*.csv")} == set(CURVES)


@pytest.mark.parametrize("name", CURVES)
def test_the_curve_is_as_it_was(name: str, curves: dict[str, pd.DataFrame]) -> None:
    kept, now = golden_curve(name), curves[name]
    assert list(now) == list(kept)
    relative, absolute = LOOSER.get(name, ROUNDING)
    np.testing.assert_allclose(
        now.to_numpy(), kept.to_numpy(), rtol=relative, atol=absolute,
        err_msg="if the change is meant: PYTHONPATH=src python tests/golden_curves.py, and raise "
        "the stage's number in plan.keys.VERSIONS",
    )  # fmt: skip
