"""A tiny copy of MVOR in the form of its archive and annotations, for tests."""

import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from selfpose3d.calibrations.mvor import write_mvor
from selfpose3d.geometry.cameras import Camera
from selfpose3d.skeletons import SKELETONS
from selfpose3d.synthetic.scenes import BODY, random_people, ring

WIDTH, HEIGHT = 640, 480
INSTANTS = {1: 3, 2: 4}
"""How many each day has."""
JOINTS = SKELETONS["mvor10"].joints
ANNOTATIONS = "camma_mvor_2018.json"


def cameras() -> list[Camera]:
    """The rig, in the room."""
    lens = np.array([0.02, -0.05, 1e-3, 6e-4, 0.03])
    return [
        replace(camera, name=f"cam{number + 1}", distortion=lens)
        for number, camera in enumerate(ring(3, WIDTH, HEIGHT))
    ]


def joints_mm(day: int, number: int, person: int) -> np.ndarray:
    """(10, 3) mm, in the room."""
    body = random_people(np.random.default_rng([day, number, person]), 1)[0]
    named = {name: body[BODY.index(name)] for name in JOINTS if name != "head"}
    return np.array([named.get(name, body[BODY.index("nose")]) for name in JOINTS])


def colour(day: int, camera: int, number: int) -> tuple[int, int, int]:
    """RGB that tells an image from the others."""
    return 50 * number + 20, 60 * camera, 100 * day


def image_id(day: int, camera: int, number: int) -> int:
    return day * 10**10 + camera * 10**7 + number


def instant_id(day: int, number: int) -> str:
    return "_".join(str(image_id(day, camera, number)) for camera in (1, 2, 3))


def annotation(day: int, number: int, person: int, given_id: int) -> dict[str, Any]:
    """Of a person, in the first camera's frame; the right wrist has flag 0, the neck is at 0."""
    first = cameras()[0]
    seen = joints_mm(day, number, person) @ first.R.T + first.t
    flags = np.where(np.arange(12) % 2, 1.0, 2.0)
    rows = np.column_stack([np.vstack([seen, seen[:2] + 5]), flags])
    rows[JOINTS.index("right_wrist"), 3] = 0.0
    rows[JOINTS.index("neck"), :3] = 0.0
    return {
        "image_ids": instant_id(day, number),
        "person_id": given_id,
        "ref_camera": number % 3,
        "keypoints3D": rows.ravel().tolist(),
    }


def annotations() -> list[dict[str, Any]]:
    """Nobody at the first instant of day 1; one id twice at the second one of day 2."""
    people = [(1, 1, 0, 0), (1, 1, 1, 1), (1, 2, 0, 0), (2, 0, 0, 3), (2, 1, 0, 4), (2, 1, 1, 4)]
    return [annotation(*person) for person in people]


def write_annotations(path: Path) -> None:
    write_mvor(path, cameras())
    content = json.loads(path.read_text())
    content["cameras_info"]["camParams"]["ids"] = ["1205220174", "1208130014", "1208270248"]
    numbers = {"1208270248": 3, "1205220174": 1, "1208130014": 2}
    content["dataset_info"] = {"camid_2_num": numbers}
    content["multiview_images"] = [
        {
            "id": instant_id(day, number),
            "images": [
                {
                    "id": image_id(day, camera, number),
                    "cam_id": camera,
                    "day_id": day,
                    "file_name": f"day{day}/cam{camera}/color/{number:06d}.png",
                    "date_captured": f"2015-04-0{day} 06:{40 + number}:08.500000",
                }
                for camera in (1, 2, 3)
            ],
        }
        for day, count in reversed(INSTANTS.items())
        for number in range(count)
    ]
    content["annotations3D"] = annotations()
    path.write_text(json.dumps(content))


def write_dataset(root: Path) -> Path:
    """Write what the archive holds, and the annotations beside it; returns the images' folder."""
    folder = root / "camma_mvor_dataset"
    for day, count in INSTANTS.items():
        for camera in (1, 2, 3):
            for kind in ("color", "depth"):
                images = folder / f"day{day}" / f"cam{camera}" / kind
                images.mkdir(parents=True)
                for number in range(count):
                    rgb = np.full((HEIGHT, WIDTH, 3), colour(day, camera, number), np.uint8)
                    path = images / f"{number:06d}.png"
                    cv2.imwrite(str(path), cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    write_annotations(root / ANNOTATIONS)
    return folder


def write_archive(folder: Path) -> Path:
    """Pack the images' folder as its host has it, beside it."""
    path = folder.with_name("camma_mvor_dataset.zip")
    with zipfile.ZipFile(path, "w") as archive:
        for each in sorted(folder.rglob("*")):
            archive.write(each, each.relative_to(folder.parent))
    return path
