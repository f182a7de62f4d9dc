"""A detector and ViTPose of Hugging Face transformers: RT-DETRv2 and ViTPose++ by default.

A person's score is the detector's probability of the box. A joint's score is the height of its
heatmap's peak: the network was trained on peaks of height 1, and what lies above is cut off.
"""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from selfpose3d.detection.extras import of_extra
from selfpose3d.detection.images import look_at_images, with_fractions
from selfpose3d.errors import InputError
from selfpose3d.fetch.http import Kind
from selfpose3d.fetch.weight_files import (
    Origin,
    WeightFile,
    check_weight_files,
    fetch_weight_files,
)
from selfpose3d.files.poses2d import People2D, Views
from selfpose3d.files.scenes import Scene
from selfpose3d.parameters import Parameters, Transformers
from selfpose3d.skeletons import COCO_17

HOST = "https://huggingface.co"
KINDS: dict[str, Kind] = {
    "config.json": "json",
    "preprocessor_config.json": "json",
    "model.safetensors": "safetensors",
}
"""The files of a repository that are needed."""
PERSON = "person"
"""The detector's label that is kept."""
COCO_EXPERT = 0
"""The expert of ViTPose++ that was trained on COCO."""


def detect_transformers(
    scene: Scene, parameters: Parameters, weights: Path, workers: int = 1
) -> Views:
    """The people of all images of a scene, COCO-17.

    Args:
        scene: whose stored frames are looked at.
        parameters: of the estimator.
        weights: folder of its weights.
        workers: processes; the result doesn't depend on their number.

    Raises:
        InputError: transformers or the weights can't be used, or nobody was found in any image.
    """
    own = parameters.estimator.transformers
    check_weight_files(_files(own), _origin(own), weights)
    return look_at_images(scene, partial(DetectorAndViTPose, own, weights), workers)


def fetch_weights(folder: Path, parameters: Parameters, cache: Path) -> None:
    """Put the weights into ``folder`` (see ``fetch_weight_files``)."""
    own = parameters.estimator.transformers
    fetch_weight_files(_files(own), _origin(own), folder, cache)


def _origin(own: Transformers) -> Origin:
    return Origin("transformers", HOST, own.source, own.sha256)


def _files(own: Transformers) -> list[WeightFile]:
    return [
        WeightFile(f"{_folder(repository)}/{name}", f"{repository}/resolve/main/{name}", kind)
        for repository in (own.detector, own.pose)
        for name, kind in KINDS.items()
    ]


def _folder(repository: str) -> str:
    """The folder of a repository's files: its name without the owner's."""
    return repository.rpartition("/")[2]


class DetectorAndViTPose:
    """The people in an image: boxes of persons first, then the joints in each.

    Args:
        parameters: which networks, and whom they keep.
        weights: folder of the networks' folders.
    """

    def __init__(self, parameters: Transformers, weights: Path) -> None:
        package = of_extra("transformers", "transformers")
        torch.set_num_threads(1)
        self._least = parameters.person_score
        detector, pose = (weights / _folder(r) for r in (parameters.detector, parameters.pose))
        self._detector = _network(package, "AutoModelForObjectDetection", detector)
        self._pose = _network(package, "VitPoseForPoseEstimation", pose)
        self._to_detector, self._to_pose = (
            _held(package, "AutoImageProcessor", each, backend="pil") for each in (detector, pose)
        )
        self._person = self._detector.config.label2id.get(PERSON)
        if self._person is None or self._pose.config.num_labels != len(COCO_17):
            raise InputError(
                f"estimator.transformers: {parameters.detector} must know the label {PERSON!r}, "
                f"and {parameters.pose} must give {len(COCO_17)} joints; choose other repositories"
            )

    @torch.inference_mode()
    def __call__(self, image: NDArray[np.uint8]) -> People2D:
        """COCO-17 people in an (H, W, 3) RGB image."""
        boxes, box_scores = self._boxes(image)
        if not len(boxes):
            return People2D.nobody(COCO_17)
        given = self._to_pose(image, boxes=[boxes], return_tensors="pt")
        heatmaps = self._pose(**given, **self._expert(len(boxes)))
        (found,) = self._to_pose.post_process_pose_estimation(heatmaps, boxes=[boxes])
        points, scores = (
            np.stack([person[key].numpy() for person in found]) for key in ("keypoints", "scores")
        )
        return with_fractions(points, scores, box_scores, COCO_17, image.shape)

    def _boxes(self, image: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Boxes of persons (P, 4): left, top, width, height, px; and their scores (P,)."""
        given = self._to_detector(image, return_tensors="pt")
        (found,) = self._to_detector.post_process_object_detection(
            self._detector(**given), threshold=self._least, target_sizes=[image.shape[:2]]
        )
        persons = found["labels"] == self._person
        corners = found["boxes"][persons].numpy()
        sides = corners[:, 2:] - corners[:, :2]
        kept = (sides > 0).all(1)
        boxes = np.concatenate([corners[:, :2], sides], axis=1)
        return boxes[kept], found["scores"][persons].numpy()[kept]

    def _expert(self, n_people: int) -> dict[str, torch.Tensor]:
        """Which expert looks at each person, where there are several."""
        if self._pose.config.backbone_config.num_experts < 2:
            return {}
        return {"dataset_index": torch.full((n_people,), COCO_EXPERT)}


def _network(package: Any, kind: str, folder: Path) -> Any:
    return _held(package, kind, folder, use_safetensors=True).eval()


def _held(package: Any, kind: str, folder: Path, **options: object) -> Any:
    """What a folder of a repository's files holds, as one of the package's kinds."""
    try:
        return getattr(package, kind).from_pretrained(folder, local_files_only=True, **options)
    except (ImportError, OSError, ValueError, KeyError, RuntimeError) as error:
        raise InputError(
            f"{folder}: it can't be loaded as {kind} ({error}); choose another repository in "
            "estimator.transformers, or see whether torch and torchvision fit together"
        ) from error
