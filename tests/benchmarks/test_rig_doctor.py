"""The benchmark of the rig doctor: what counts as found, and how a run goes on."""

import json
import sys
from pathlib import Path

import pytest

from conftest import REPOSITORY
from selfpose3d.synthetic.faulty_rigs import FAULTS, Planted, record

sys.path.insert(0, str(REPOSITORY / "benchmarks"))

import rig_doctor

SMALL = ["--seeds", "1", "--sound", "0", "--pairs", "0", "--refined", "0", "--timed", "0"]


def test_what_is_to_be_named() -> None:
    recording = record(0, cameras=3, seconds=0.1, people=1)
    names = ["cam01", "cam02", "cam03"]
    wanted = {
        Planted("pose", 0, 1): ["pose", ["cam02"]],
        Planted("exchanged", 0, 2): ["exchanged", ["cam01", "cam03"]],
        Planted("inverted", 1, 0): ["inverted", names],
        Planted("mirrored", 1, 0): ["sides exchanged", ["cam01"]],
        Planted("mirrored", 2, 0): ["handedness", []],
        Planted("units", 0, 0): ["units", []],
    }
    for fault, expected in wanted.items():
        assert rig_doctor.expected(fault, recording) == expected


def test_a_run_goes_on_and_counts_what_can_be_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    measured = []

    def invented(kind: str, size: int, seed: int) -> dict:
        measured.append((kind, size))
        wanted = [[kind, ["cam01"]]]
        named = [*wanted, ["lens", ["cam02"]]] if size == 1 else wanted
        px = [1.0, 20.0, 300.0][size]
        return {"part": "single", "kind": kind, "size": size, "wanted": wanted, "named": named,
                "moved_px": px}  # fmt: skip

    monkeypatch.setattr(rig_doctor, "single", invented)
    monkeypatch.setattr(sys, "argv", ["rig_doctor.py", "--out", str(tmp_path), *SMALL])
    rig_doctor.main()
    assert len(measured) == 3 * len(FAULTS)
    assert "| pose | 20 to 300 px | 2 | 2 | 1 |" in capsys.readouterr().out
    lines = tmp_path / "rig_doctor.jsonl"
    kept = lines.read_text().splitlines()
    lines.write_text("\n".join(kept[:-1]) + "\n")
    rig_doctor.main()
    assert measured[-1] == (json.loads(kept[-1])["kind"], json.loads(kept[-1])["size"])
    assert len(measured) == 3 * len(FAULTS) + 1
