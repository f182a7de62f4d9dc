"""The command that times everything, at its smallest."""

import json
import os
import subprocess
import sys
from pathlib import Path

from conftest import REPOSITORY


def timed(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            *(sys.executable, str(REPOSITORY / "benchmarks" / "speed.py")),
            *("--sizes", "tiny", "--stages", "root", "--threads", "1"),
            *("--no-operations", "--no-memory"),
            *arguments,
        ],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY / "src")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_speed_is_kept_and_falling_back_fails(tmp_path: Path) -> None:
    out = tmp_path / "here.json"
    done = timed("--out", str(out))
    assert done.returncode == 0, done.stderr
    assert "| tiny: root, an iteration |" in done.stdout
    kept = json.loads(out.read_text())
    assert {"torch", "processor", "threads"} <= set(kept["machine"])
    row = kept["rows"]["tiny: root, an iteration"]
    assert row["against_seconds"] > 0 and row["ratio"] > 0
    row["ratio"] /= 100
    out.write_text(json.dumps(kept))
    again = timed("--out", str(tmp_path / "again.json"), "--check", str(out))
    assert again.returncode == 1
    assert "fell back against the reference" in again.stderr and "root" in again.stderr
