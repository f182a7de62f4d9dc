"""Time and memory of reading 2D people: an hour of eight cameras, written by other estimators.

``python benchmarks/people2d.py FOLDER`` writes the people of ``--minutes`` into the folder, as
OpenPose's files and as one file of COCO results, reads both, each in a process of its own, and
prints seconds and memory. The goal for an hour (25 frames per second, 4 people) is 60 s and 2 GB.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from selfpose3d.files.scenes import View
from selfpose3d.keypoints.reading import read_people
from selfpose3d.skeletons import BODY_25, COCO_17, Skeleton

CAMERAS = [f"cam{number:02d}" for number in range(8)]
FRAME_RATE = 25
PEOPLE = 4
SIZE = (1920, 1080)


def people_texts(skeleton: Skeleton) -> list[str]:
    """Many people as text of flat numbers, such as estimators write them."""
    rng = np.random.default_rng(0)
    offsets = rng.normal(0, 40, (997, len(skeleton), 2))
    points = np.tile(rng.uniform(400, 700, (997, 1, 2)), (1, len(skeleton), 1))
    for _ in skeleton.bones:
        for parent, joint in skeleton.bones:
            points[:, joint] = points[:, parent] + offsets[:, joint]
    points = points.clip(5, 1075).round(3)
    scores = rng.uniform(0.3, 1, (*points.shape[:2], 1)).round(6)
    flat = np.concatenate([points, scores], -1).reshape(997, -1)
    return [",".join(map(repr, row)) for row in flat.tolist()]


def write_openpose(folder: Path, frames: int) -> None:
    """One BODY_25 file per image."""
    texts = people_texts(BODY_25)
    for number, camera in enumerate(CAMERAS):
        (folder / camera).mkdir(parents=True, exist_ok=True)
        for frame in range(frames):
            people = ",".join(
                f'{{"person_id":[-1],"pose_keypoints_2d":[{texts[(number + frame + i) % 997]}]}}'
                for i in range(PEOPLE)
            )
            path = folder / camera / f"{camera}_{frame:012d}_keypoints.json"
            path.write_text(f'{{"version":1.3,"people":[{people}]}}')


def _coco_rows(frames: int) -> Iterator[str]:
    texts = people_texts(COCO_17)
    images = ((frame, number) for frame in range(frames) for number in range(len(CAMERAS)))
    for place, (frame, number) in enumerate(images):
        for i in range(PEOPLE):
            points = texts[(number + frame + i) % 997]
            yield f'{{"image_id":{place},"category_id":1,"keypoints":[{points}],"score":0.9}}'


def write_coco(path: Path, frames: int) -> None:
    """One file of COCO results for all cameras."""
    with path.open("w") as file:
        file.write("[")
        for number, row in enumerate(_coco_rows(frames)):
            file.write(("," if number else "") + row)
        file.write("]")


def read(path: Path) -> dict[str, float]:
    """Read people in this process: seconds, those of the processor, and the most memory, MB."""
    started, used = time.perf_counter(), time.process_time()
    found = read_people(path, [View(camera, *SIZE) for camera in CAMERAS], None, "hour")
    times = {"seconds": time.perf_counter() - started, "cpu_seconds": time.process_time() - used}
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"images": len(found), "people": len(found.person_scores), **times, "memory_mb": memory}


def main() -> None:
    """Write the people and read them, or read a path alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the people are written, or what is read")
    parser.add_argument("--minutes", type=float, default=60.0, help="length of the recording")
    parser.add_argument("--read", action="store_true", help="only read FOLDER, a file or folder")
    options = parser.parse_args()
    if options.read:
        print(json.dumps(read(options.folder)))
        return
    frames = round(options.minutes * 60 * FRAME_RATE)
    forms = {"OpenPose": (options.folder / "openpose", write_openpose)}
    forms["COCO results"] = (options.folder / "coco.json", write_coco)
    for title, (path, write) in forms.items():
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            write(path, frames)
        done = subprocess.run(
            [sys.executable, __file__, str(path), "--read"],
            check=True,
            capture_output=True,
            text=True,
        )
        print(title, done.stdout.strip())


if __name__ == "__main__":
    main()
