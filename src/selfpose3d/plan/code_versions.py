"""The lock file of code versions: for each kind of node a version, which is part of its key.

``code_versions.lock.json`` holds for each kind its version and the roots of its step, and for all
kinds together a hash of every module in their closures (``plan.closures``). A kind's code is as it
was when its version was set if its roots and the hashes of its closure are those in the file; the
closure then is the same too, as every module that leads to another has its hash there.

Once a module changes, ``selfpose3d code-version`` wants to know of all kinds that depend on it
whether their results change. Beside a version stands the hash of the closure that it began with, so
that git calls it a conflict when two branches raise one version for different code; raise it once
more then.

A run reads the versions and nothing else of it: code is hashed by the command and by a test.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from hashlib import sha256
from pathlib import Path
from typing import TypedDict

from selfpose3d.errors import InputError
from selfpose3d.files.atomic import read_json, write_json
from selfpose3d.plan.closures import Package, closures_of, digest_of, path_of, read_package

LOCK = Path(__file__).with_name("code_versions.lock.json")


class Kind(TypedDict):
    """The lock file's entry of one kind of node; ``since`` is of the code of its version."""

    version: int
    since: str
    roots: list[str]


class Lock(TypedDict):
    """The lock file: its kinds, and the hash of each module that any of them depends on."""

    kinds: dict[str, Kind]
    modules: dict[str, str]


@dataclass(frozen=True)
class Code:
    """The code of a package, and where that of each kind of node begins.

    Args:
        folder: the package's, named as it is.
        roots: of each kind's step, as ``closures_of`` takes them.
        left_out: modules that can't change a result.
    """

    folder: Path
    roots: Mapping[str, Sequence[str]]
    left_out: Collection[str]

    @cached_property
    def package(self) -> Package:
        """The syntax trees of its modules."""
        return read_package(self.folder)

    @cached_property
    def closures(self) -> dict[str, set[str]]:
        """The closure of each kind."""
        return closures_of(self.roots, self.package, self.left_out)

    @cached_property
    def digests(self) -> dict[str, str]:
        """The hash of every module in any closure."""
        names = sorted(set[str]().union(*self.closures.values()))
        return {name: digest_of(name, self.package) for name in names}

    def hash_of(self, kind: str) -> str:
        """A short hash of a kind's closure."""
        parts = [f"{name}={self.digests[name]}" for name in sorted(self.closures[kind])]
        return sha256(" ".join(parts).encode()).hexdigest()[:10]


@cache
def code_versions() -> Mapping[str, int]:
    """The version of each kind of node, as the lock file says.

    Raises:
        InputError: the file is missing or broken.
    """
    return {kind: each["version"] for kind, each in read_lock(LOCK)["kinds"].items()}


def read_lock(path: Path) -> Lock:
    """Read a lock file.

    Raises:
        InputError: the file is missing or broken.
    """
    lock: Lock = read_json(path)
    if not isinstance(lock, dict) or set(lock) != {"kinds", "modules"}:
        raise InputError(f"{path}: no lock file of code versions; take it from the repository")
    return lock


def changed(lock: Lock, code: Code) -> dict[str, list[str]]:
    """The kinds whose code differs from the lock file: for each the changed files, or its new
    roots."""
    found = {kind: _changes_of(kind, lock, code) for kind in code.roots}
    return {kind: changes for kind, changes in sorted(found.items()) if changes}


def _changes_of(kind: str, lock: Lock, code: Code) -> list[str]:
    base = code.folder.parents[1]
    changes = {
        path_of(name, code.folder).relative_to(base).as_posix()
        for name in code.closures[kind]
        if lock["modules"].get(name) != code.digests[name]
    }
    known, roots = lock["kinds"].get(kind), list(code.roots[kind])
    if known is None or known["roots"] != roots:
        changes.add(f"(the step begins at {' and '.join(roots)} now)")
    return sorted(changes)


def renewed(lock: Lock, code: Code, raised: Collection[str] = ()) -> Lock:
    """The lock file for the code as it is, with the versions of some kinds raised by one."""
    kinds: dict[str, Kind] = {}
    for kind, roots in sorted(code.roots.items()):
        kept = lock["kinds"].get(kind)
        version, since = (kept["version"], kept["since"]) if kept else (1, code.hash_of(kind))
        if kind in raised:
            version, since = version + 1, code.hash_of(kind)
        kinds[kind] = {"version": version, "since": since, "roots": list(roots)}
    return {"kinds": kinds, "modules": dict(code.digests)}


def settle(path: Path, code: Code, raised: Sequence[str], same: Sequence[str]) -> None:
    """Write down of kinds of nodes whether the code as it is changes their results.

    Args:
        path: the lock file.
        code: the code as it is.
        raised: kinds whose results change; "all" for those that changed and are not in ``same``.
        same: kinds whose results don't; "all" likewise.

    Raises:
        InputError: a kind is unknown, is named in both, or changed and is named in neither.
    """
    lock = read_lock(path)
    changes = changed(lock, code)
    up = _named(raised, same, changes, code)
    down = _named(same, raised, changes, code)
    if both := up & down:
        raise InputError(f"--raise and --same: {_list(both)} in both; results change or they don't")
    if undecided := changes.keys() - up - down:
        raise InputError(
            f"nothing is said of {_list(undecided)}, whose code changed too; name them as well, "
            "or all the rest by '--same all' or '--raise all'\n" + explained(changes)
        )
    write_json(path, renewed(lock, code, up))


def _named(
    kinds: Iterable[str], others: Iterable[str], changes: Iterable[str], code: Code
) -> set[str]:
    named = set(kinds)
    if unknown := named - {*code.roots, "all"}:
        raise InputError(f"{_list(unknown)}: no kind of node; known are {_list(code.roots)}")
    return (named - {"all"}) | (set(changes) - set(others) if "all" in named else set())


def explained(changes: Mapping[str, Sequence[str]]) -> str:
    """A text that names the changes, and the commands that say what they mean for results."""
    kinds_of: dict[str, list[str]] = {}
    for kind, files in changes.items():
        for file in files:
            kinds_of.setdefault(file, []).append(kind)
    files_of: dict[str, list[str]] = {}
    for file, kinds in sorted(kinds_of.items()):
        files_of.setdefault(", ".join(kinds), []).append(file)
    lines = [f"  {kinds}: {', '.join(files)}" for kinds, files in files_of.items()]
    raised = " ".join(f"--raise {kind}" for kind in changes)
    return "\n".join(
        [
            "The code of these kinds of nodes is not what it was when their versions were set:",
            *lines,
            "If the same parameters give other results now, raise the versions of these kinds:",
            f"  selfpose3d code-version {raised}",
            "If results stay as they are (the golden curves decide), keep them:",
            "  selfpose3d code-version --same all",
        ]
    )


def status(lock: Lock, code: Code) -> str:
    """Each kind with its version, and whether the lock file is up to date."""
    changes, now = changed(lock, code), renewed(lock, code)
    lines = [
        f"{kind:{max(map(len, now['kinds']))}}  {each['version']}"
        + ("  changed" if kind in changes else "")
        for kind, each in now["kinds"].items()
    ]
    if changes:
        lines.append(explained(changes))
    elif lock == now:
        lines.append("The lock file is up to date.")
    else:
        lines.append("It names code that is gone: selfpose3d code-version --same all")
    return "\n".join(lines)


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
