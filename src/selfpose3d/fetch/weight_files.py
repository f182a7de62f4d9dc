"""Weight files from their authors' host, a mirror or a folder, verified by SHA-256.

Where the SHA-256 of a file is not known beforehand, that of the first fetch is written down beside
it, in ``SHA256SUMS``, and holds from then on.
"""

import re
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from selfpose3d.errors import InputError
from selfpose3d.fetch.digests import has_sha256, sha256_of
from selfpose3d.fetch.http import Kind, Patience, fetch, local_path
from selfpose3d.files.atomic import whole_file, write_text

RECORD = "SHA256SUMS"
"""Name of the list of fetched files, which has the form of ``sha256sum``."""


@dataclass(frozen=True)
class WeightFile:
    """A file of weights.

    Args:
        name: of the file here; it may stand in a folder.
        path: of what is fetched, below the host's address.
        kind: of what is fetched.
        sha256: of the file, in hexadecimal; its first digits where no more are known, none where
            nothing is.
        member: the last name of the file within a zip archive that is fetched.
    """

    name: str
    path: str
    kind: Kind
    sha256: str = ""
    member: str | None = None


@dataclass(frozen=True)
class Origin:
    """The place from which the weights of an estimator are fetched.

    Args:
        estimator: its name.
        host: address of the authors' host.
        source: in its place the address of a mirror, or a folder that holds the files by their
            names.
        told: SHA-256 of files by their names, in hexadecimal, or their first digits.
    """

    estimator: str
    host: str
    source: str | None
    told: Mapping[str, str]


def fetch_weight_files(
    files: Sequence[WeightFile],
    origin: Origin,
    folder: Path,
    cache: Path,
    patience: Patience | None = None,
) -> None:
    """Put weight files into ``folder``; those that are there and right are left alone.

    Args:
        files: all files of the weights.
        origin: where they come from.
        folder: where they go.
        cache: keeps a download that broke off, so that it goes on there.
        patience: with the host.

    Raises:
        InputError: a file can't be had, or is not the right one.
    """
    expected, sums = _expected(files, origin, folder), {}
    for file in files:
        place, sha256 = folder / file.name, expected[file.name]
        found = sha256_of(place) if sha256 and place.is_file() else ""
        if not found or not found.startswith(sha256):
            found = _bring(file, origin, place, sha256, cache, patience or Patience())
        sums[file.name] = found
    lines = (f"{sha256}  {name}\n" for name, sha256 in sums.items())
    write_text(folder / RECORD, "".join(lines))


def check_weight_files(files: Sequence[WeightFile], origin: Origin, folder: Path) -> None:
    """Verify weight files before they are used.

    Raises:
        InputError: one is missing, or has another SHA-256 than is known, told or written down.
    """
    expected = _expected(files, origin, folder)
    for file in files:
        place, sha256 = folder / file.name, expected[file.name]
        if not has_sha256(place, sha256):
            raise InputError(
                f"{place}: missing, or not the file with the SHA-256 {sha256 or '(unknown)'}; run "
                f"'selfpose3d fetch-weights {origin.estimator} --parameters FILE --out {folder}'"
            )


def _expected(files: Sequence[WeightFile], origin: Origin, folder: Path) -> dict[str, str]:
    """The SHA-256 of each file: as told, as known, or as written down at the first fetch."""
    known = {file.name: file.sha256 for file in files}
    strange = sorted(set(origin.told) - set(known))
    if strange:
        raise InputError(
            f"estimator.{origin.estimator}.sha256: {strange} are no files of these weights; they "
            f"are {sorted(known)}"
        )
    written = _written_down(folder / RECORD)
    return {n: origin.told.get(n) or sha256 or written.get(n, "") for n, sha256 in known.items()}


def _written_down(path: Path) -> dict[str, str]:
    text = path.read_text() if path.is_file() else ""
    return {name: sha256 for sha256, name in re.findall(r"^([0-9a-f]{64})  (.+)$", text, re.M)}


def _bring(
    file: WeightFile,
    origin: Origin,
    place: Path,
    sha256: str,
    cache: Path,
    patience: Patience,
) -> str:
    """Bring a file to its place, and say its SHA-256."""
    source = origin.source or origin.host
    if "://" not in source:
        return _copy(_in_folder(Path(source), file, origin), file, origin, place, sha256)
    url = f"{source.rstrip('/')}/{file.path}"
    came = fetch(url, cache / origin.estimator / file.path, file.kind, patience)
    try:
        return _copy(came, file, origin, place, sha256)
    finally:
        if local_path(url) is None:
            came.unlink()


def _in_folder(folder: Path, file: WeightFile, origin: Origin) -> Path:
    path = folder / file.name
    if not path.is_file():
        raise InputError(
            f"{path}: there is no such file; put it there, or leave out "
            f"estimator.{origin.estimator}.source, so that it is fetched"
        )
    return path


def _copy(came: Path, file: WeightFile, origin: Origin, place: Path, sha256: str) -> str:
    """Put a file, or the member of an archive, to its place, if it is the right one.

    Returns:
        its SHA-256.
    """
    with whole_file(place) as temporary:
        if file.member and came.suffix == ".zip":
            _extract(came, file.member, temporary)
        else:
            shutil.copyfile(came, temporary)
        found = sha256_of(temporary)
        if not found.startswith(sha256):
            raise InputError(
                f"{origin.source or origin.host}: {file.name} has the SHA-256 {found}, and not "
                f"{sha256}, which is that of the authors' file, or that in {place.parent / RECORD} "
                f"or in estimator.{origin.estimator}.sha256; get the right file elsewhere and put "
                f"it at {place}, or, if you trust this one, state its SHA-256 in "
                f"estimator.{origin.estimator}.sha256"
            )
    return found


def _extract(archive: Path, member: str, target: Path) -> None:
    """The one file of a last name in a zip archive."""
    try:
        with zipfile.ZipFile(archive) as held:
            names = [name for name in held.namelist() if PurePosixPath(name).name == member]
            if len(names) != 1:
                raise InputError(
                    f"{archive}: it holds {len(names)} files {member}; one is expected"
                )
            with held.open(names[0]) as source, target.open("wb") as file:
                shutil.copyfileobj(source, file)
    except zipfile.BadZipFile as error:
        raise InputError(f"{archive}: not a readable zip archive ({error})") from error
