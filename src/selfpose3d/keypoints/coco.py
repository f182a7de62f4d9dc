"""COCO results and annotations, and what AlphaPose makes of them."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from selfpose3d.files.atomic import write_json
from selfpose3d.files.poses2d import Views
from selfpose3d.keypoints.entry import Joints, Named, Pair, Row, Seen
from selfpose3d.keypoints.mvor import image_name


def recognises_results(head: dict[str | None, Any]) -> bool:
    """A list of people with the image of each and a flat list of key points."""
    first = head.get(None)
    if not isinstance(first, dict) or not isinstance(first.get("keypoints"), list):
        return False
    points = first["keypoints"]
    return {"image_id", "file_name"} & set(first) != set() and (
        not points or not isinstance(points[0], list)
    )


def recognises_annotations(head: dict[str | None, Any]) -> bool:
    """An object with ``annotations``."""
    return "annotations" in head


def rows(pieces: Iterable[Pair]) -> Iterator[Row]:
    """The people of results, or of annotations with the images that they are of; those of MVOR
    are named by its numbers, as its files' names are the same on every day."""
    for key, row in pieces:
        if key == "images" and row != []:
            number = _whole(row["id"])
            of_mvor = {"cam_id", "day_id"} <= set(row)
            yield Named(number, image_name(number) if of_mvor else str(row["file_name"]))
        elif key == "categories" and row != [] and row.get("keypoints"):
            yield Joints(tuple(map(str, row["keypoints"])))
        elif key in (None, "annotations") and row != []:
            yield from _person(row)


def _person(row: dict[str, Any]) -> Iterator[Row]:
    image = row.get("file_name")
    image = row["image_id"] if image is None else image
    values = row["keypoints"]
    if values:
        score = row.get("score")
        yield Seen(image, values, None if score is None else float(score))


def _whole(number: Any) -> int:
    if isinstance(number, bool) or not isinstance(number, int):
        raise ValueError(f"the id {number!r} of an image; a whole number is expected")
    return number


def write_coco_results(path: Path, views: Views) -> None:
    """Write 2D people as COCO results, with ``<camera>/<frame>.jpg`` as the images' names."""
    written = [
        {
            "file_name": f"{camera}/{frame:08d}.jpg",
            "category_id": 1,
            "keypoints": np.column_stack([points, scores]).ravel().tolist(),
            "score": float(person_score),
        }
        for (frame, camera), people in views.items()
        for points, scores, person_score in zip(
            people.points, people.scores, people.person_scores, strict=True
        )
    ]
    write_json(path, written)
