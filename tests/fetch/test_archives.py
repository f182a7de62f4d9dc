"""Archives of data sets: what is unpacked, from where, and what is left behind."""

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from hosts import Host
from selfpose3d.errors import InputError
from selfpose3d.fetch.archives import Archive, unpacked
from selfpose3d.fetch.http import Patience

PATIENCE = Patience(retries=2, timeout=0.5, pause=0.01)
TAR = Archive("Set.tar.bz2", "Set")
ZIP = Archive("set.zip", "Set", wanted="/color/")


def write_tar(path: Path, names: list[str], text: bytes = b"text") -> None:
    with tarfile.open(path, "w:bz2") as archive:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text))


def files_under(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_only_wanted_files_are_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for name in ("Set/color/a.png", "Set/depth/a.png", "Set/readme.txt"):
            archive.writestr(name, name)
    folder = unpacked(ZIP, tmp_path.as_uri(), tmp_path / "cache", PATIENCE)
    assert files_under(folder) == ["color/a.png"]


def test_what_lies_outside_of_the_archives_folder_is_refused(tmp_path: Path) -> None:
    write_tar(tmp_path / "Set.tar.bz2", ["Set/a", "../../evil"])
    with pytest.raises(InputError, match=r"Set\.tar\.bz2: a broken archive .*evil"):
        unpacked(TAR, tmp_path.as_uri(), tmp_path / "deep" / "cache", PATIENCE)
    assert not list(tmp_path.rglob("evil"))


def test_what_a_killed_unpacking_left_is_begun_anew(tmp_path: Path) -> None:
    write_tar(tmp_path / "Set.tar.bz2", ["Set/a"])
    cache = tmp_path / "cache"
    place = unpacked(TAR, tmp_path.as_uri(), cache, PATIENCE).parent
    (place / "Set").rename(place / "partial")
    (place / "partial" / "old").write_text("left behind")
    assert files_under(unpacked(TAR, tmp_path.as_uri(), cache, PATIENCE)) == ["a"]
    assert not (place / "partial").exists()


def test_each_address_and_each_local_archive_has_a_folder_of_its_own(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    served = tmp_path / "served"
    served.mkdir()
    found = []
    for text in (b"one", b"other"):
        write_tar(served / "Set.tar.bz2", ["Set/a"], text)
        found.append(unpacked(TAR, served.as_uri(), cache, PATIENCE) / "a")
    with Host(served) as host:
        found.append(unpacked(TAR, f"{host.url}/", cache, PATIENCE) / "a")
        again = unpacked(TAR, f"{host.url}/", cache, PATIENCE)
        assert host.asked["Set.tar.bz2"] == 1 and again == found[-1].parent
    assert [path.read_bytes() for path in found] == [b"one", b"other", b"other"]
