"""One run of one stage: what it is, how long, and what it depends on."""

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from torch import Tensor

from selfpose3d.errors import InputError
from selfpose3d.files.poses3d import Frames
from selfpose3d.parameters import Compute, Parameters, StageSettings
from selfpose3d.parameters.section import marks_of
from selfpose3d.skeletons import Skeleton
from selfpose3d.training.data import TrainingData


@dataclass
class Run:
    """One run of one stage.

    Args:
        stage: its name, for seeds and messages.
        settings: its parameters.
        compute: where it runs.
        seed: of everything random.
        out: folder of checkpoint.pt, curves.csv and, while running, resume.pt.
        iterations: its length.
        fingerprint: of all it depends on; a resume.pt with another one is not used.
        skeleton: the joints that its networks know.
        carried: weights of networks of earlier stages that go into checkpoint.pt unchanged.
    """

    stage: str
    settings: StageSettings
    compute: Compute
    seed: int
    out: Path
    iterations: int
    fingerprint: str
    skeleton: Skeleton
    carried: Mapping[str, Mapping[str, Tensor]] = field(default_factory=dict)

    @property
    def checkpoint(self) -> Path:
        """The final weights."""
        return self.out / "checkpoint.pt"

    @property
    def resume(self) -> Path:
        """The state while running."""
        return self.out / "resume.pt"


def iterations_of(settings: StageSettings, batches_per_epoch: int, devices: int) -> int:
    """The length of a stage in iterations, from its iterations or its epochs."""
    if settings.iterations is not None:
        return settings.iterations
    assert settings.epochs is not None
    return max(1, math.ceil(settings.epochs * batches_per_epoch / devices))


def fingerprint(
    parameters: BaseModel, data: str, files: Iterable[Path], people: Iterable[Frames]
) -> str:
    """A digest of the parameters a stage was given, its data's digest, its input files and the 3D
    people that it learns from."""
    digest = hashlib.sha256(repr((_plain(parameters), data)).encode())
    for path in files:
        for file in sorted(path.iterdir()) if path.is_dir() else [path]:
            digest.update(_file_digest(file))
    for frames in people:
        for frame, each in sorted(frames.items()):
            digest.update(repr(frame).encode() + each.joints.tobytes() + each.valid.tobytes())
    return digest.hexdigest()


def _file_digest(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").digest()
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error.strerror})") from error


def _plain(value: Any) -> Any:
    """Values as they are told apart; fields that can't change a result are left out."""
    if isinstance(value, BaseModel):
        fields = type(value).model_fields
        kept = [(name, part) for name, part in value.__dict__.items() if not marks_of(fields[name])]
        return sorted((name, _plain(part)) for name, part in kept)
    return value


def stage_run(
    parameters: Parameters,
    stage: str,
    settings: StageSettings,
    data: TrainingData,
    out: Path,
    batches_per_epoch: int,
    files: Iterable[Path] = (),
    carried: Mapping[str, Mapping[str, Tensor]] | None = None,
    people: Iterable[Frames] = (),
) -> Run:
    """A stage's run; its fingerprint covers parameters, data, the given files and the 3D people,
    and its checkpoint holds the carried networks in addition to its own."""
    compute = parameters.compute
    return Run(
        stage=stage,
        settings=settings,
        compute=compute,
        seed=parameters.seed,
        out=Path(out),
        iterations=iterations_of(settings, batches_per_epoch, compute.devices),
        fingerprint=fingerprint(parameters, data.digest(), files, people),
        skeleton=data.skeleton,
        carried=carried or {},
    )
