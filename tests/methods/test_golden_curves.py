"""The stages' loss curves against those that are kept (``golden_curves.py`` makes them)."""

import shutil
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import pytest

import golden_curves
from golden_curves import (
    CURVES,
    FOLDER,
    LOOSER,
    ROUNDING,
    digest,
    golden_curve,
    keep,
    kept_versions,
    make_curves,
    unsaid,
    version,
)
from selfpose3d.training import loop


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
        err_msg="if the change is meant, raise the version of the stage's code (selfpose3d "
        "code-version --raise train_STAGE), then: PYTHONPATH=src python tests/golden_curves.py",
    )  # fmt: skip


def test_a_kept_curve_is_of_the_version_that_is_told() -> None:
    kept = kept_versions()
    assert set(kept) == set(CURVES)
    assert {name: each["sha256"] for name, each in kept.items()} == {
        name: digest(name) for name in CURVES
    }
    assert all(1 <= each["version"] <= version(name) for name, each in kept.items())


def test_a_curve_moves_only_with_the_version_of_its_stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(FOLDER, tmp_path, dirs_exist_ok=True)
    monkeypatch.setattr(golden_curves, "FOLDER", tmp_path)
    monkeypatch.setattr(golden_curves, "VERSIONS", tmp_path / "versions.json")
    made = {name: golden_curve(name) for name in ("root", "pose_images")}
    assert unsaid(made) == [] and keep(made) == []

    made["root"] = 1.01 * made["root"]
    made["pose_images"] = 1.001 * made["pose_images"]  # other kernels move it as far
    told = kept_versions()["root"]["version"]
    monkeypatch.setattr(golden_curves, "version", lambda name: told)
    assert unsaid(made) == ["train_root"]

    monkeypatch.setattr(golden_curves, "version", lambda name: told + 1)
    assert unsaid(made) == [] and keep(made) == ["root"]
    assert kept_versions()["root"] == {"version": told + 1, "sha256": digest("root")}
    np.testing.assert_allclose(golden_curve("root"), made["root"], rtol=1e-6)
