"""SOURCES: where data come from, by the name that ``data.source`` gives.

Each source turns what it finds into scenes, and into 3D truth if there is any. Reading the table
imports none of the sources' code.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from selfpose3d.sources.entry import Source, Split, files_at, kept_frames, named_files
from selfpose3d.tables import Step, Table, extensible

if TYPE_CHECKING:
    from selfpose3d.parameters import Parameters


def _sequences_of(section: str) -> "Callable[[Parameters], tuple[Sequence[str], Sequence[str]]]":
    """The training and the test sequences that a section names."""

    def sequences(parameters: "Parameters") -> tuple[Sequence[str], Sequence[str]]:
        own = getattr(parameters, section)
        return _names(own.train), _names(own.test)

    return sequences


def _names(sequences: Sequence[str] | Mapping[str, object]) -> Sequence[str]:
    """Names of sequences; of those that are made of parts, the ones that have any."""
    if isinstance(sequences, Mapping):
        return tuple(name for name, parts in sequences.items() if parts != ())
    return sequences


def _numbered(name: str, count: int) -> tuple[str, ...]:
    return tuple(f"{name}_{index:02d}" for index in range(count))


def _studio_sequences(parameters: "Parameters") -> tuple[Sequence[str], Sequence[str]]:
    studio = parameters.studio
    return (
        _numbered("studio_train", studio.train_sequences),
        _numbered("studio_test", studio.test_sequences),
    )


def _studio_renders(parameters: "Parameters", sequence: str, split: Split) -> Sequence[str]:
    own = ("rig", f"{split}_frames", "frame_interval", "people", "seed")
    return tuple(f"studio.{name}" for name in own)


def _studio_reads(parameters: "Parameters", sequence: str, split: Split) -> Sequence[str]:
    return ("data.source", *kept_frames(split))


def _panoptic_reads(parameters: "Parameters", sequence: str, split: Split) -> Sequence[str]:
    chosen = () if parameters.data.cameras else ("panoptic.cameras",)
    fetched = ("panoptic.url", "panoptic.parallel", "panoptic.retries", "panoptic.timeout")
    return ("data.source", *kept_frames(split), *chosen, *fetched)


def _panoptic_files(parameters: "Parameters", sequence: str, split: Split) -> Sequence[str]:
    """The calibration, the poses and the videos of a local copy."""
    return files_at(f"{parameters.panoptic.url}/{sequence}", "*.*", "*Videos/*.mp4")


def _belagiannis(name: str, title: str, folder: str) -> Source:
    """Shelf or Campus: two data sets of one layout, each in a folder or an archive of it."""

    def reads(parameters: "Parameters", sequence: str, split: Split) -> Sequence[str]:
        own = ("url", "retries", "timeout", f"{split}.{sequence}")
        return ("data.source", *kept_frames(split), *(f"{name}.{key}" for key in own))

    def frames(parameters: "Parameters", split: Split) -> int:
        parts = getattr(getattr(parameters, name), split).values()
        return max((sum(b - a + 1 for a, b in ranges) for ranges in parts), default=0)

    def files(parameters: "Parameters", sequence: str, split: Split) -> Sequence[str]:
        return files_at(getattr(parameters, name).url, folder, f"{folder}.tar.bz2")

    return Source(
        title=title,
        sequences=_sequences_of(name),
        reads=reads,
        prepare=Step(f"selfpose3d.sources.belagiannis:prepare_{name}"),
        has_truth=True,
        files=files,
        downloads=True,
        frames=frames,
    )


def _mvor_reads(parameters: "Parameters", sequence: str, split: Split) -> Sequence[str]:
    own = ("url", "annotations", "retries", "timeout", f"{split}.{sequence}")
    return ("data.source", *kept_frames(split), *(f"mvor.{key}" for key in own))


def _mvor_frames(parameters: "Parameters", split: Split) -> int:
    """The days are of 57 to 330 frames."""
    return max((330 * len(days) for days in getattr(parameters.mvor, split).values()), default=0)


def _mvor_files(parameters: "Parameters", sequence: str, split: Split) -> Sequence[str]:
    """The annotations and the images, or their archive, of a local copy."""
    mvor, images = parameters.mvor, "camma_mvor_dataset"
    return [
        *files_at(mvor.annotations, "camma_mvor_2018.json"),
        *files_at(mvor.url, images, f"{images}.zip"),
    ]


def _video_reads(parameters: "Parameters", sequence: str, split: Split) -> Sequence[str]:
    own = ("data.frame_rate", f"videos.{split}.{sequence}")
    return ("data.source", *kept_frames(split), *own)


def _video_files(parameters: "Parameters", sequence: str, split: Split) -> Sequence[str]:
    """The videos or images and the calibration, file by file; the folder itself where it is not
    there."""
    from selfpose3d.calibrations import calibration_files
    from selfpose3d.sources.recordings import images_in, recordings_in

    folder = Path(getattr(parameters.videos, split)[sequence])
    if not folder.is_dir():
        return (str(folder),)
    found = calibration_files(folder)
    for path in recordings_in(folder):
        found += images_in(path) if path.is_dir() else [path]
    return sorted(str(path) for path in found) or (str(folder),)


def _keypoint_reads(parameters: "Parameters", sequence: str, split: Split) -> Sequence[str]:
    every = f"data.{split}_every"
    kept = ("data.cameras", "data.network_size", "data.frame_rate", every)
    told = tuple(f"estimator.{name}" for name in ("files", "joints", "image_size", "first"))
    return ("data.source", "keypoints.calibration", *kept, *told)


def _annotated_reads(parameters: "Parameters", sequence: str, split: Split) -> Sequence[str]:
    return (*_keypoint_reads(parameters, sequence, split), "keypoints.truth")


def _keypoint_files(parameters: "Parameters", sequence: str, split: Split) -> Sequence[str]:
    """The calibration and the 2D people, file by file."""
    own = (parameters.keypoints.calibration, parameters.estimator.files)
    return named_files(own, sequence)


def _annotated_files(parameters: "Parameters", sequence: str, split: Split) -> Sequence[str]:
    """The same, and the truth."""
    truth = named_files((parameters.keypoints.truth,), sequence)
    return [*_keypoint_files(parameters, sequence, split), *truth]


def _demo_sequences(parameters: "Parameters") -> tuple[Sequence[str], Sequence[str]]:
    return (), ("pose2sim_demo",)


def _demo_reads(parameters: "Parameters", sequence: str, split: Split) -> Sequence[str]:
    return ("data.network_size", "footage.name", "footage.every", "footage.stored_size")


SOURCES: Table[Source] = extensible(
    "sources",
    {
        "studio": Source(
            title="Studio (rendered people)",
            sequences=_studio_sequences,
            reads=_studio_reads,
            prepare=Step("selfpose3d.sources.panoptic:prepare_rendered"),
            has_truth=True,
            renders=_studio_renders,
            frames=lambda parameters, split: getattr(parameters.studio, f"{split}_frames"),
        ),
        "panoptic": Source(
            title="CMU Panoptic",
            sequences=_sequences_of("panoptic"),
            reads=_panoptic_reads,
            prepare=Step("selfpose3d.sources.panoptic:prepare_panoptic"),
            has_truth=True,
            files=_panoptic_files,
            downloads=True,
        ),
        "shelf": _belagiannis("shelf", "Shelf", "Shelf"),
        "campus": _belagiannis("campus", "Campus", "CampusSeq1"),
        "mvor": Source(
            title="MVOR",
            sequences=_sequences_of("mvor"),
            reads=_mvor_reads,
            prepare=Step("selfpose3d.sources.mvor:prepare_mvor"),
            has_truth=True,
            files=_mvor_files,
            downloads=True,
            frames=_mvor_frames,
        ),
        "videos": Source(
            title="Own cameras",
            sequences=_sequences_of("videos"),
            reads=_video_reads,
            prepare=Step("selfpose3d.sources.videos:prepare_own_videos"),
            has_truth=False,
            files=_video_files,
        ),
        "keypoints": Source(
            title="Own 2D people",
            sequences=_sequences_of("keypoints"),
            reads=_keypoint_reads,
            prepare=Step("selfpose3d.sources.keypoints:prepare_keypoints"),
            has_truth=False,
            has_images=False,
            files=_keypoint_files,
        ),
        "keypoints_with_truth": Source(
            title="Own 2D people with their 3D truth",
            sequences=_sequences_of("keypoints"),
            reads=_annotated_reads,
            prepare=Step("selfpose3d.sources.keypoints:prepare_keypoints"),
            has_truth=True,
            has_images=False,
            files=_annotated_files,
            by_sequence=True,
        ),
        "pose2sim_demo": Source(
            title="Real footage",
            sequences=_demo_sequences,
            reads=_demo_reads,
            prepare=Step("selfpose3d.sources.pose2sim_demo:prepare_demo"),
            has_truth=False,
            downloads=True,
            note=(
                "Real footage of the Pose2Sim multi-person demo, without ground truth. One man is "
                "clearly real; a woman looks composited into all four views (about 1.35 m tall "
                "when triangulated); a bystander is seen by two cameras only. The calibration as "
                "shipped is biased against the pictures: triangulated bodies reproject with a "
                "median error of about 1 % of the pictures' width (11 to 13 px of 1088). The cause "
                "is not known."
            ),
        ),
    },
)

__all__ = ["SOURCES", "Source"]
