"""Data sets that come as one archive: fetched once, unpacked once, whoever asks first.

Several sequences are made of one archive, often at the same time: the first process that asks
fetches and unpacks it, the others wait. A process that is killed leaves the part of the download,
which goes on there, and no half-unpacked folder that would pass for the whole.
"""

import fcntl
import re
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from selfpose3d.errors import InputError
from selfpose3d.fetch.http import Kind, Patience, fetch, local_path
from selfpose3d.progress import track

_BROKEN = (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error)


@dataclass(frozen=True)
class Archive:
    """An archive of a data set.

    Args:
        name: of the file, which ends in .tar.bz2 or .zip.
        folder: the folder in it.
        wanted: regular expression; only files whose name it finds are unpacked.
    """

    name: str
    folder: str
    wanted: str = ""

    @property
    def kind(self) -> Kind:
        """What its first bytes must be."""
        return "zip" if self.name.endswith(".zip") else "bz2"


def unpacked(archive: Archive, url: str, cache: Path, patience: Patience) -> Path:
    """The folder of a data set: as it lies at a file:// address, or unpacked into the cache.

    Args:
        archive: which.
        url: http(s):// address of the archive's folder on its host; or the file:// address of a
            folder that holds the archive, or what is unpacked from it.
        cache: folder that keeps what was fetched; each address has a folder of its own in it.
        patience: retries and timeout of the download.

    Raises:
        InputError: it can't be fetched, is broken, or lacks the folder.
    """
    local = local_path(url)
    if local is not None and (local / archive.folder).is_dir():
        return local / archive.folder
    if local is not None and not (local / archive.name).is_file():
        raise InputError(
            f"{local}: holds neither the folder {archive.folder} nor {archive.name}; correct "
            f"{url}, which names the folder that one of them lies in"
        )
    place = cache / f"{archive.folder}-{_key(archive, url, local)}"
    with _alone(place):
        if not (place / archive.folder).is_dir():
            address = f"{url.rstrip('/')}/{archive.name}"
            path = fetch(address, place / archive.name, archive.kind, patience)
            _unpack(archive, path, place, fetched=local is None)
    return place / archive.folder


def _key(archive: Archive, url: str, local: Path | None) -> str:
    """What tells an address from others, and a local archive from the one that it replaced."""
    status = None if local is None else (local / archive.name).stat()
    told = url if status is None else f"{url} {status.st_size} {status.st_mtime_ns}"
    return sha256(told.encode()).hexdigest()[:8]


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    """Wait until no other process works in a folder, and keep others waiting."""
    place.mkdir(parents=True, exist_ok=True)
    with (place / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _unpack(archive: Archive, path: Path, place: Path, fetched: bool) -> None:
    """Put the archive's folder into place; an archive that was fetched is removed then, and one
    that is broken as well, so that it is fetched anew."""
    partial = place / "partial"
    shutil.rmtree(partial, ignore_errors=True)
    try:
        for _ in track(_files_out_of(archive, path, partial), f"unpacking {path}", unit="files"):
            pass
    except (*_BROKEN, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        if fetched:
            path.unlink()
        remedy = "it was removed; run again to fetch it anew" if fetched else "get it anew"
        raise InputError(f"{path}: a broken archive ({error}); {remedy}") from error
    if not (partial / archive.folder).is_dir():
        raise InputError(
            f"{path}: there is no folder {archive.folder} in it; it is another archive"
        )
    (partial / archive.folder).replace(place / archive.folder)
    shutil.rmtree(partial)
    if fetched:
        path.unlink()


def _files_out_of(archive: Archive, path: Path, into: Path) -> Iterator[None]:
    """Unpack the wanted files, one after the other."""
    wanted = re.compile(archive.wanted)
    if archive.kind == "zip":
        with zipfile.ZipFile(path) as zipped:
            for info in zipped.infolist():
                if not info.is_dir() and wanted.search(info.filename):
                    zipped.extract(info, into)
                    yield
        return
    with tarfile.open(path, "r:bz2") as packed:
        for member in packed:
            if member.isfile() and wanted.search(member.name):
                packed.extract(member, into, filter="data")
                yield
