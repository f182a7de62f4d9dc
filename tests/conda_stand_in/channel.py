"""A local conda channel of packages that hold next to nothing."""

import asyncio
import hashlib
import io
import json
import sys
import tarfile
from pathlib import Path

import rattler.index
from rattler import MatchSpec

PYTHON_LOG = "python-was-called.txt"
"""In an environment's folder: one line for each call of its python."""


def build_channel(folder: Path, specs: list[str]) -> Path:
    """A channel in ``folder`` that has, for each conda spec, one package that satisfies it.

    The ``python`` package runs the interpreter of the tests and notes that it was called.
    """
    noarch = folder / "noarch"
    noarch.mkdir(parents=True)
    for spec in specs:
        match = MatchSpec(spec)
        assert match.name is not None
        name = match.name.normalized
        version = str(match.version or "1").lstrip("=").rstrip(".*")
        files = {"bin/python": _python_wrapper()} if name == "python" else {}
        _write_package(noarch, name, version, files)
    asyncio.run(rattler.index.index_fs(folder))
    return folder


def _python_wrapper() -> str:
    return (
        f'#!/bin/sh\necho "$*" >> "$(dirname "$0")/../{PYTHON_LOG}"\nexec "{sys.executable}" "$@"\n'
    )


def _write_package(folder: Path, name: str, version: str, files: dict[str, str]) -> None:
    index = {
        "name": name,
        "version": version,
        "build": "stand_in_0",
        "build_number": 0,
        "depends": [],
        "subdir": "noarch",
        "noarch": "generic",
        "timestamp": 1_700_000_000_000,
    }
    paths = [
        {
            "_path": path,
            "path_type": "hardlink",
            "sha256": hashlib.sha256(text.encode()).hexdigest(),
            "size_in_bytes": len(text),
        }
        for path, text in files.items()
    ]
    members = {
        **files,
        "info/index.json": json.dumps(index),
        "info/paths.json": json.dumps({"paths": paths, "paths_version": 1}),
        "info/files": "".join(f"{path}\n" for path in files),
    }
    with tarfile.open(folder / f"{name}-{version}-stand_in_0.tar.bz2", "w:bz2") as archive:
        for path, text in members.items():
            member = tarfile.TarInfo(path)
            member.size = len(text.encode())
            member.mode = 0o755
            archive.addfile(member, io.BytesIO(text.encode()))
