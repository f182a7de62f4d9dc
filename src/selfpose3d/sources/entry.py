"""Types of the table of sources: a source of sequences, and the inputs of a scene's making."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from selfpose3d.errors import InputError
from selfpose3d.tables import Step

if TYPE_CHECKING:
    from selfpose3d.parameters import Parameters

Split = Literal["train", "test"]


@dataclass(frozen=True)
class PrepareInputs:
    """The inputs from which a source makes a scene.

    Args:
        parameters: those that the source reads for this sequence.
        sequence: its name.
        split: "train" or "test"; which frames are taken may differ.
        scene: the scene folder to write.
        truth: the file of the 3D truth to write, by a source that has it.
        host: folder of what was rendered for the source, by a source that renders.
        cache: folder that keeps what was fetched.
    """

    parameters: "Parameters"
    sequence: str
    split: Split
    scene: Path
    truth: Path | None = None
    host: Path | None = None
    cache: Path = Path("data/cache")

    def own_part(self, section: str) -> Any:
        """The sequence's entry in a section of the parameters, under its split.

        Raises:
            InputError: it does not name the sequence there.
        """
        named = getattr(getattr(self.parameters, section), self.split)
        if self.sequence not in named:
            raise InputError(
                f"--sequence {self.sequence}: {section}.{self.split} names {sorted(named)}; give "
                "one of them, or the other --split"
            )
        return named[self.sequence]


@dataclass(frozen=True)
class Source:
    """A source of sequences.

    Args:
        title: as readers know it.
        sequences: the names of the training and of the test sequences.
        reads: the parameters that a sequence's scene depends on.
        prepare: ``(PrepareInputs) -> None``; writes the scene, and the truth where there is any.
        has_truth: it comes with 3D truth.
        has_images: its scenes have images, and not 2D people alone.
        files: the user's own files that a sequence is made of, by the parameters that ``reads``
            names.
        renders: the parameters that what is rendered for a sequence depends on, before its scene.
        downloads: it fetches from the network.
        frames: how many frames the longest sequence of a split has before every n-th is taken, as
            far as that is known without the data.
        by_sequence: tables name its sequences, as its own name says little.
        note: what must be said wherever its pictures are shown.
    """

    title: str
    sequences: "Callable[[Parameters], tuple[Sequence[str], Sequence[str]]]"
    reads: "Callable[[Parameters, str, Split], Sequence[str]]"
    prepare: Step
    has_truth: bool
    has_images: bool = True
    files: "Callable[[Parameters, str, Split], Sequence[str]]" = lambda parameters, name, split: ()
    renders: "Callable[[Parameters, str, Split], Sequence[str]] | None" = None
    downloads: bool = False
    frames: "Callable[[Parameters, Split], int] | None" = None
    by_sequence: bool = False
    note: str = ""


def files_in(path: str) -> list[str]:
    """A file, or every file of a folder, so that a replaced one is seen; what is not there, as it
    is named."""
    inside = sorted(str(each) for each in Path(path).rglob("*") if each.is_file())
    return inside or [path]


def named_files(paths: Iterable[str | None], sequence: str) -> list[str]:
    """The files of a sequence at paths that parameters name, as far as they name any;
    ``{sequence}`` is filled in."""
    named = [path.replace("{sequence}", sequence) for path in paths if path]
    return [each for path in named for each in files_in(path)]


def stamps_of(paths: Iterable[str]) -> dict[str, list[int]]:
    """Size in bytes and time of change in ns of the files among some paths, sorted by path."""
    found = {path: Path(path).stat() for path in sorted(set(paths)) if Path(path).is_file()}
    return {path: [each.st_size, each.st_mtime_ns] for path, each in found.items()}


def files_at(url: str, *names: str) -> list[str]:
    """The user's own files at a ``file://`` address, of files and folders with these names or
    patterns; none at an address of the network."""
    from selfpose3d.fetch.http import local_path

    folder = local_path(url)
    found = [] if folder is None else [path for name in names for path in folder.glob(name)]
    return [each for path in found for each in files_in(str(path))]


def kept_frames(split: Split) -> tuple[str, ...]:
    """The parameters that say which frames of a sequence are kept, and at what size."""
    return ("data.cameras", "data.stored_size", "data.network_size", f"data.{split}_every")
