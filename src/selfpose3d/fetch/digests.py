"""SHA-256 of files, by which it is told that they are the right ones."""

import hashlib
from pathlib import Path


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def has_sha256(path: Path, sha256: str) -> bool:
    """Whether a file is there and has this SHA-256.

    Args:
        path: of the file.
        sha256: in hexadecimal, or its first digits; "" if it is not known, which no file has.
    """
    return bool(sha256) and path.is_file() and sha256_of(path).startswith(sha256)
