"""Tables of exchangeable parts: methods, sources, estimators, calibration formats.

A table maps a name to an entry of one documented protocol. Adding a part is a module and a line in
its table; an installed package adds one with an entry point of the group ``selfpose3d.<table>``
(``pyproject.toml``: ``[project.entry-points."selfpose3d.methods"]``), without a change here. What
it adds to the parameters (group ``selfpose3d.parameters``) stands in a module that imports no
table.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar

from selfpose3d.errors import InputError

Entry = TypeVar("Entry")


@dataclass(frozen=True)
class Step:
    """A function that is imported when it is needed: a table must be quick to read.

    Args:
        place: "module:function".
    """

    place: str

    @property
    def module(self) -> str:
        """The module of its code, which is the root of what its results depend on."""
        return self.place.partition(":")[0]

    def load(self) -> Callable[..., Any]:
        """The function."""
        module, _, name = self.place.partition(":")
        function: Callable[..., Any] = getattr(import_module(module), name)
        return function


class Table(Mapping[str, Entry]):
    """A table whose entries are put together at the first look at it: by then all modules are
    loaded, also those of packages that add to several tables.

    Args:
        entries: gives them by name.
    """

    def __init__(self, entries: Callable[[], Mapping[str, Entry]]) -> None:
        self._load = entries

    @cached_property
    def _entries(self) -> Mapping[str, Entry]:
        return self._load()

    def __getitem__(self, name: str) -> Entry:
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


def extensible(table: str, own: Mapping[str, Entry]) -> Table[Entry]:
    """A table of its own entries and those of installed packages."""
    return Table(lambda: with_installed(table, own))


def with_installed(table: str, own: Mapping[str, Entry]) -> dict[str, Entry]:
    """A table's own entries and those of installed packages.

    Raises:
        InputError: a package's entry has a name that is taken, or can't be loaded.
    """
    entries = dict(own)
    for point in _points(f"selfpose3d.{table}"):
        if point.name in entries:
            raise InputError(
                f"{point.value}: the name {point.name!r} of the table of {table} is taken; "
                "rename the entry point in its package"
            )
        try:
            entries[point.name] = point.load()
        except (ImportError, AttributeError) as error:
            raise InputError(
                f"{point.value}: the entry {point.name!r} of the table of {table} can't be loaded "
                f"({error}); mend or uninstall its package"
            ) from error
    return entries


@cache
def _points(group: str) -> tuple[EntryPoint, ...]:
    return tuple(entry_points(group=group))


def known(table: Mapping[str, Entry], name: str, where: str) -> Entry:
    """The entry of a name.

    Raises:
        InputError: there is none.
    """
    if name not in table:
        raise InputError(f"{where}: {name!r} is unknown; known: {sorted(table)}")
    return table[name]
