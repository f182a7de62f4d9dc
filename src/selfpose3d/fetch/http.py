"""Resumable, checked downloads from a web host; local files (``file://``) are checked in place.

A download grows in ``<target>.part`` and takes its name only when it is whole and of the wanted
kind, so that a target that is there is right. Stalls, broken connections, truncated bodies and
server errors (5xx, 429) are tried again after growing pauses and go on where they stopped; a
missing file (404), a refusal (401, 403) or a web page in the file's place is not.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Literal, TypeVar
from urllib.parse import urlsplit
from urllib.request import url2pathname

import requests
import urllib3

from selfpose3d.errors import InputError
from selfpose3d.progress import track

Kind = Literal["json", "tar", "bz2", "zip", "mp4", "pth", "safetensors"]
CHUNK = 1 << 16
MEGABYTE = 1 << 20
SNIFFED = 512
LONGEST_PAUSE = 60.0
FOR_NOW = (408, 429)

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True)
class Patience:
    """The number of retries of a download, and the waiting times.

    Args:
        retries: attempts after the first without a single new byte.
        timeout: seconds without a byte before a connection is given up.
        pause: seconds before the first retry; doubled each time, up to a minute.
    """

    retries: int = 8
    timeout: float = 30.0
    pause: float = 1.0


class _TryAgainError(Exception):
    """A failure that may not occur when the download is tried again."""


@dataclass(frozen=True)
class _Answer:
    """An opened source: where its bytes start, the whole file's size, and the bytes."""

    start: int
    size: int | None
    chunks: Iterator[bytes]


def fetch(url: str, target: Path, kind: Kind, patience: Patience) -> Path:
    """Fetch one file; a whole target of an earlier run is kept, a part of one is continued.

    Args:
        url: http(s):// or file:// address.
        target: where it goes; a local file stays where it is.
        kind: what it must be; checked by its first bytes.
        patience: retries and timeout.

    Returns:
        where it lies: ``target``, or the local file itself.

    Raises:
        InputError: with the address, what came instead, and what to do.
    """
    local = local_path(url)
    if local is not None:
        return _checked(local, kind)
    if target.is_file() and _mismatch(target, kind) is None:
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    failures, best = 0, _size(part)
    while True:
        try:
            _continue(url, part, patience.timeout)
            break
        except _TryAgainError as problem:
            failures = 1 if _size(part) > best else failures + 1
            best = max(best, _size(part))
            if failures > patience.retries:
                raise InputError(_advice(url, target, str(problem), failures)) from problem
            time.sleep(min(patience.pause * 2 ** (failures - 1), LONGEST_PAUSE))
        except InputError as problem:
            raise InputError(_advice(url, target, str(problem), 1)) from problem
        except OSError as error:
            raise OSError(error.errno, f"{part}: {error.strerror}; it goes on there") from error
    wrong = _mismatch(part, kind)
    if wrong is not None:
        part.unlink()
        raise InputError(_advice(url, target, wrong, 1))
    part.replace(target)
    return target


def in_parallel(work: Callable[[T], U], items: Sequence[T], parallel: int) -> list[U]:
    """``[work(item) for item in items]``, several at a time.

    After an error nothing new is begun; what is under way is finished, so that it is not lost.
    """
    with ThreadPoolExecutor(max_workers=parallel) as pool:
        futures = [pool.submit(work, item) for item in items]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def local_path(url: str) -> Path | None:
    """The folder or file that a ``file://`` address means; None for another address."""
    parts = urlsplit(url)
    return Path(url2pathname(parts.path)) if parts.scheme == "file" else None


def _continue(url: str, part: Path, timeout: float) -> None:
    """One attempt: append to ``part`` what it lacks, or begin it anew."""
    had = _size(part)
    with _open(url, had, timeout) as answer:
        if answer is None:
            return
        total = None if answer.size is None else -(-(answer.size - answer.start) // MEGABYTE)
        with part.open("r+b" if answer.start else "wb") as file:
            file.seek(answer.start)
            file.truncate()
            writing = _written(answer.chunks, file.write)
            for _ in track(writing, f"fetching {url.rsplit('/', 1)[-1]}", total, "MiB"):
                pass
    got = _size(part)
    if got == 0:
        raise _TryAgainError("an empty file came (0 bytes)")
    if answer.size is not None and got != answer.size:
        raise _TryAgainError(f"{got} of {answer.size} bytes came (truncated)")


def _written(chunks: Iterator[bytes], write: Callable[[bytes], int]) -> Iterator[None]:
    """Write the chunks; yield once a megabyte, for the progress display."""
    unreported = 0
    for chunk in chunks:
        unreported += write(chunk)
        while unreported >= MEGABYTE:
            unreported -= MEGABYTE
            yield
    if unreported:
        yield


@contextmanager
def _open(url: str, offset: int, timeout: float) -> Iterator[_Answer | None]:
    """Open a source at an offset; None if the part on disk is the whole file already."""
    try:
        with requests.get(
            url,
            headers={"Accept-Encoding": "identity"} | _range(offset),
            stream=True,
            timeout=timeout,
        ) as response:
            yield _judged(response, offset)
    except requests.exceptions.RequestException as error:
        if isinstance(error, requests.exceptions.InvalidSchema | requests.exceptions.MissingSchema):
            raise InputError(f"not an http(s):// or file:// address ({error})") from error
        raise _TryAgainError(_reason(error, timeout)) from error
    except urllib3.exceptions.HTTPError as error:
        raise _TryAgainError(_reason(error, timeout)) from error


def _range(offset: int) -> dict[str, str]:
    return {"Range": f"bytes={offset}-"} if offset else {}


def _judged(response: requests.Response, offset: int) -> _Answer | None:
    """What a response brings; a page, a refusal or a failing server is an error."""
    status, headers = response.status_code, response.headers
    if status == 416:
        return _whole_already(headers.get("Content-Range", ""), offset)
    if status >= 500 or status in FOR_NOW:
        raise _TryAgainError(f"the host answered {status} {response.reason}")
    if status >= 400:
        raise InputError(f"the host answered {status} {response.reason}")
    if "html" in headers.get("Content-Type", ""):
        raise InputError(f"a web page came instead of the file: {_begin(response)!r}")
    chunks = iter(lambda: response.raw.read1(CHUNK), b"")  # what came before a break is kept
    length = headers.get("Content-Length")
    if status == 206:
        start, size = _content_range(headers.get("Content-Range", ""), offset)
        return _Answer(start, size, chunks)
    return _Answer(0, None if length is None else int(length), _without_page(chunks))


def _whole_already(content_range: str, offset: int) -> _Answer | None:
    """After 416: None if the part is the whole; otherwise nothing, so that it begins anew."""
    if content_range.rsplit("/", 1)[-1] == str(offset):
        return None
    return _Answer(0, None, iter(()))


def _content_range(value: str, offset: int) -> tuple[int, int | None]:
    """Start and whole size out of ``bytes 5-9/10``."""
    span, _, size = value.removeprefix("bytes ").partition("/")
    start = span.partition("-")[0]
    if start != str(offset):
        raise _TryAgainError(f"bytes from {offset} were asked for, the host sent {value!r}")
    return offset, int(size) if size.isdigit() else None


def _without_page(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The chunks, once the first is seen not to be a web page (before anything is overwritten)."""
    first = next(chunks, b"")
    if _is_page(first):
        raise InputError(f"a web page came instead of the file: {first[:80]!r}")
    return chain([first], chunks)


def _begin(response: requests.Response) -> bytes:
    return next(response.iter_content(80), b"")


def _is_page(data: bytes) -> bool:
    start = data.lstrip()[:SNIFFED].lower()
    return start.startswith((b"<!doctype", b"<html", b"<head", b"<?xml"))


def _reason(error: Exception, timeout: float) -> str:
    if "timed out" in str(error).lower():
        return f"nothing came for {timeout:g} s"
    return f"the connection failed or broke ({error})"


def _mismatch(path: Path, kind: Kind) -> str | None:
    """Why a file can't be of a kind, by its first bytes; None if it can."""
    with path.open("rb") as file:
        data = file.read(SNIFFED)
    if not data:
        return "the file is empty (0 bytes)"
    if _is_page(data):
        return f"a web page came instead of the file: {data[:80]!r}"
    fits = {
        "json": data.lstrip()[:1] in (b"{", b"["),
        "tar": data[257:262] == b"ustar" or data[:2] == b"\x1f\x8b",
        "bz2": data[:3] == b"BZh",
        "zip": data[:4] == b"PK\x03\x04",
        "mp4": data[4:8] in (b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip"),
        "pth": data[:4] == b"PK\x03\x04" or data[:1] == b"\x80",
        "safetensors": data[8:9] == b"{",
    }[kind]
    return None if fits else f"this is no {kind} file; it begins with {data[:16]!r}"


def _checked(path: Path, kind: Kind) -> Path:
    wrong = _mismatch(path, kind) if path.is_file() else "there is no such file"
    if wrong is not None:
        raise InputError(f"{path}: {wrong}; put the right file there")
    return path


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _advice(url: str, target: Path, problem: str, attempts: int) -> str:
    again = f" ({attempts} attempts)" if attempts > 1 else ""
    return (
        f"{url}: {problem}{again}. Hosts of large data sets are often down for days: open the "
        "address in a browser, and run the same command again later (it goes on where it "
        f"stopped), or get the file elsewhere and put it at {target}"
    )
