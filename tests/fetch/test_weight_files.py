"""Weight files from a host on loopback that misbehaves on demand, from a mirror and a folder."""

import hashlib
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from hosts import Host
from selfpose3d.errors import InputError
from selfpose3d.fetch.http import Patience
from selfpose3d.fetch.weight_files import (
    RECORD,
    Origin,
    WeightFile,
    check_weight_files,
    fetch_weight_files,
)

PATIENCE = Patience(retries=1, timeout=0.5, pause=0.01)
ONNX = bytes(range(256)) * 400
SHA256 = hashlib.sha256(ONNX).hexdigest()
NET = WeightFile("net.onnx", "sdk/net.zip", "zip", SHA256, "end2end.onnx")


@pytest.fixture
def served(tmp_path: Path) -> Path:
    """A folder to serve: the network in an archive with other files."""
    folder = tmp_path / "served"
    (folder / "sdk").mkdir(parents=True)
    with zipfile.ZipFile(folder / "sdk" / "net.zip", "w") as archive:
        archive.writestr("2023/net/deploy.json", "{}")
        archive.writestr("2023/net/end2end.onnx", ONNX)
    return folder


def origin(host: str, source: str | None = None, **told: str) -> Origin:
    return Origin("rtmlib", host, source, told)


def fetched(tmp_path: Path, file: WeightFile, where: Origin) -> Path:
    folder = tmp_path / "weights"
    fetch_weight_files([file], where, folder, tmp_path / "cache", PATIENCE)
    return folder / file.name


def files_below(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.rglob("*") if each.is_file())


def test_the_network_comes_out_of_its_archive_once(served: Path, tmp_path: Path) -> None:
    with Host(served) as host:
        place = fetched(tmp_path, NET, origin(host.url))
        assert place.read_bytes() == ONNX
        assert (place.parent / RECORD).read_text() == f"{SHA256}  net.onnx\n"
        fetched(tmp_path, NET, origin(host.url))
        assert host.asked["net.zip"] == 1
    assert files_below(tmp_path / "cache") == []
    check_weight_files([NET], origin("nowhere"), place.parent)


def test_a_cut_download_goes_on_where_it_stopped(served: Path, tmp_path: Path) -> None:
    with Host(served) as host:
        host.faults["net.zip"] = ["truncate"]
        assert fetched(tmp_path, NET, origin(host.url)).read_bytes() == ONNX
        assert len(host.ranges) == 1


def test_a_broken_off_download_goes_on_at_the_next_try(served: Path, tmp_path: Path) -> None:
    whole = (served / "sdk" / "net.zip").stat().st_size
    with Host(served) as host:
        host.faults["net.zip"] = ["truncate", "500", "500"]
        with pytest.raises(InputError, match=r"(?s)the host answered 500.*goes on where it"):
            fetched(tmp_path, NET, origin(host.url))
        assert files_below(tmp_path) == ["net.zip", "net.zip.part"]
        assert fetched(tmp_path, NET, origin(host.url)).read_bytes() == ONNX
        assert host.ranges[-1] == f"bytes={whole // 2}-"


def test_a_host_that_is_down_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"http://127.0.0.1:9/sdk/net.zip: the connection failed"):
        fetched(tmp_path, NET, origin("http://127.0.0.1:9"))


@pytest.mark.parametrize("known", ["0" * 64, "0" * 8])
def test_another_file_than_the_known_one_is_refused(
    served: Path, tmp_path: Path, known: str
) -> None:
    with Host(served) as host, pytest.raises(InputError, match=f"{SHA256}, and not {known},"):
        fetched(tmp_path, replace(NET, sha256=known), origin(host.url))
    assert files_below(tmp_path / "weights") == files_below(tmp_path / "cache") == []


def test_what_the_user_tells_goes_before_what_is_known(served: Path, tmp_path: Path) -> None:
    told = Origin("rtmlib", "", None, {"net.onnx": SHA256[:8]})
    with Host(served) as host:
        there = replace(told, host=host.url)
        assert fetched(tmp_path, replace(NET, sha256="0" * 64), there).read_bytes() == ONNX
        wrong = replace(there, told={"net.onnx": "1" * 64})
        with pytest.raises(InputError, match=r"and not 1{64}"):
            fetched(tmp_path, NET, wrong)
        strange = replace(there, told={"nets.onnx": SHA256})
        with pytest.raises(InputError, match=r"\['nets.onnx'\] are no files .* are \['net.onnx'\]"):
            fetched(tmp_path, NET, strange)


def test_an_unknown_file_must_stay_what_it_was_first(served: Path, tmp_path: Path) -> None:
    unknown = replace(NET, sha256="")
    with Host(served) as host:
        place = fetched(tmp_path, unknown, origin(host.url))
        check_weight_files([unknown], origin(host.url), place.parent)
        place.write_bytes(b"something else")
        with pytest.raises(InputError, match=f"not the file with the SHA-256 {SHA256}"):
            check_weight_files([unknown], origin(host.url), place.parent)
        with zipfile.ZipFile(served / "sdk" / "net.zip", "w") as archive:
            archive.writestr("end2end.onnx", b"a newer network")
        with pytest.raises(InputError, match=f"and not {SHA256}"):
            fetched(tmp_path, unknown, origin(host.url))


def test_an_unknown_file_without_a_record_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(ONNX)
    with pytest.raises(InputError, match="fetch-weights rtmlib"):
        check_weight_files([replace(NET, sha256="")], origin("nowhere"), tmp_path)


def test_a_mirror_takes_the_place_of_the_host(served: Path, tmp_path: Path) -> None:
    with Host(served) as host:
        place = fetched(tmp_path, NET, origin("http://127.0.0.1:9", f"{host.url}/"))
    assert place.read_bytes() == ONNX
    local = fetched(tmp_path / "local", NET, origin("http://127.0.0.1:9", served.as_uri()))
    assert local.read_bytes() == ONNX and (served / "sdk" / "net.zip").exists()


def test_a_folder_holds_the_files_by_their_names(tmp_path: Path) -> None:
    own = tmp_path / "own"
    with pytest.raises(InputError, match=rf"{own}/net.onnx: there is no such file; put it there"):
        fetched(tmp_path, NET, origin("http://127.0.0.1:9", str(own)))
    own.mkdir()
    (own / "net.onnx").write_bytes(ONNX)
    assert fetched(tmp_path, NET, origin("http://127.0.0.1:9", str(own))).read_bytes() == ONNX
    assert (own / "net.onnx").exists()


@pytest.mark.parametrize("held", [{}, {"a/end2end.onnx": b"1", "b/end2end.onnx": b"2"}])
def test_an_archive_without_the_one_network_is_refused(
    tmp_path: Path, held: dict[str, bytes]
) -> None:
    (tmp_path / "sdk").mkdir()
    with zipfile.ZipFile(tmp_path / "sdk" / "net.zip", "w") as archive:
        archive.writestr("readme", "")
        for name, data in held.items():
            archive.writestr(name, data)
    with pytest.raises(InputError, match=f"it holds {len(held)} files end2end.onnx"):
        fetched(tmp_path, NET, origin(tmp_path.as_uri()))
