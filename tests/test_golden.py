"""The stages' loss curves against those that are kept (``golden_curves.py`` makes them)."""

import numpy as np
import pandas as pd
import pytest

from golden_curves import CURVES, FOLDER, golden_curve, make_curves

TOLERANCE = 2e-3
"""Relative. What other kernels round differently moves a curve of so few iterations by less
(measured: see ``golden/README.md``); a changed weight, seed, order of draws or loss by far more."""


@pytest.fixture(scope="module")
def curves(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pd.DataFrame]:
    return make_curves(tmp_path_factory.mktemp("golden"))


def test_every_kept_curve_is_compared() -> None:
    assert {path.stem for path in FOLDER.glob("*.csv")} == set(CURVES)


@pytest.mark.parametrize("name", CURVES)
def test_the_curve_is_as_it_was(name: str, curves: dict[str, pd.DataFrame]) -> None:
    kept, now = golden_curve(name), curves[name]
    assert list(now) == list(kept)
    np.testing.assert_allclose(
        now.to_numpy(), kept.to_numpy(), rtol=TOLERANCE, atol=1e-7,
        err_msg="if the change is meant: PYTHONPATH=src python tests/golden_curves.py",
    )  # fmt: skip
