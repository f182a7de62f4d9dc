"""RTMPose (Jiang et al. 2023) and RTMO (Lu et al. 2024) by rtmlib, with ONNX Runtime.

YOLOX finds people and RTMPose their joints; RTMO does both at once. YOLOX and RTMO were trained on
BGR images, RTMPose on RGB ones, and each is given what it was trained on.

A person's score is the detector's probability of the box. RTMO gives probabilities of joints.
RTMPose does not: it gives the lower of the peaks over the columns and over the rows of the crop,
which are near 1 where it is sure, and beyond. They are cut off at 1, and are no probabilities.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from selfpose3d.detection.extras import of_extra
from selfpose3d.detection.images import Look, look_at_images, with_fractions
from selfpose3d.fetch.weight_files import (
    Origin,
    WeightFile,
    check_weight_files,
    fetch_weight_files,
)
from selfpose3d.files.poses2d import People2D, Views
from selfpose3d.files.scenes import Scene
from selfpose3d.parameters import Parameters, RtmLib
from selfpose3d.skeletons import COCO_17, HALPE_26

HOST = "https://download.openmmlab.com/mmpose/v1/projects"
MEMBER = "end2end.onnx"
"""The network in the host's archives."""
SAME_PERSON = 0.45
"""Overlap (IoU) above which two boxes of RTMO are one person; rtmlib's."""


@dataclass(frozen=True)
class Network:
    """A network of the host.

    Args:
        path: below the host's address, without suffix.
        size: width and height of its input, px.
        sha256: of the ONNX file, as several projects state it; "" where they don't. The digits in
            the host's names are of the PyTorch weights, and tell nothing of this file.
    """

    path: str
    size: tuple[int, int]
    sha256: str = ""

    @property
    def name(self) -> str:
        """The name of its file; rtmlib's own cache calls it the same."""
        return f"{self.path.rpartition('/')[2]}.onnx"

    @property
    def file(self) -> WeightFile:
        """How it is fetched."""
        return WeightFile(self.name, f"{self.path}.zip", "zip", self.sha256, MEMBER)


_SDK, _RTMO = "rtmposev1/onnx_sdk/", "rtmo/onnx_sdk/"
DETECTORS: Mapping[str, Network] = {
    "lightweight": Network(
        f"{_SDK}yolox_tiny_8xb8-300e_humanart-6f3252f9",
        (416, 416),
        "ceb11c07298f95c50d7c5abeb906d03340c85f23aa79e3e66966e7fb6c307250",
    ),
    "balanced": Network(
        f"{_SDK}yolox_m_8xb8-300e_humanart-c2c7a14a",
        (640, 640),
        "3dea6513388889f0fff4b77bf7a26013600321b9eb9ceb0e9a400a82572f5f23",
    ),
    "performance": Network(f"{_SDK}yolox_x_8xb8-300e_humanart-a39d44ed", (640, 640)),
}
"""YOLOX by ``estimator.rtmlib.mode``, as rtmlib pairs them."""
POSES: Mapping[str, Mapping[str, Network]] = {
    "body_with_feet": {
        "lightweight": Network(
            f"{_SDK}rtmpose-s_simcc-body7_pt-body7-halpe26_700e-256x192-7f134165_20230605",
            (192, 256),
        ),
        "balanced": Network(
            f"{_SDK}rtmpose-m_simcc-body7_pt-body7-halpe26_700e-256x192-4d3e73dd_20230605",
            (192, 256),
            "26f3a19e61304a600dfb82d1001d41d24343b89fc70a33ffc84657e0b0bf2ecf",
        ),
        "performance": Network(
            f"{_SDK}rtmpose-x_simcc-body7_pt-body7-halpe26_700e-384x288-7fb6e239_20230606",
            (288, 384),
        ),
    },
    "body": {
        "lightweight": Network(
            f"{_SDK}rtmpose-s_simcc-body7_pt-body7_420e-256x192-acd4a1ef_20230504",
            (192, 256),
            "9aeb635b83f86aea45cf45d85798f7eba1a162de8e0d721c44e54fe5eebaf47d",
        ),
        "balanced": Network(
            f"{_SDK}rtmpose-m_simcc-body7_pt-body7_420e-256x192-e48f03d0_20230504",
            (192, 256),
            "5c0a4bf67953e6d2ac43ce15e77dc9d5d354ae18430a47d2c5963a7bc5683e3c",
        ),
        "performance": Network(
            f"{_SDK}rtmpose-x_simcc-body7_pt-body7_700e-384x288-71d7b7e9_20230629",
            (288, 384),
            "df0c0fa91e9870b1515dcaff741fd76cc753dcfb12786862f61b243bae81cd52",
        ),
    },
    "rtmo": {
        "lightweight": Network(
            f"{_RTMO}rtmo-s_8xb32-600e_body7-640x640-dac2bf74_20231211",
            (640, 640),
            "d0703d40d19f3921da51ae725402d5fdae4d2478c7442072d3101bd396f370d8",
        ),
        "balanced": Network(
            f"{_RTMO}rtmo-m_16xb16-600e_body7-640x640-39e78cc4_20231211", (640, 640)
        ),
        "performance": Network(
            f"{_RTMO}rtmo-l_16xb16-600e_body7-640x640-b37118ce_20231211", (640, 640)
        ),
    },
}
"""RTMPose and RTMO by ``estimator.rtmlib.model`` and ``mode``."""


def detect_rtmlib(scene: Scene, parameters: Parameters, weights: Path, workers: int = 1) -> Views:
    """The people of all images of a scene: HALPE-26 of ``body_with_feet``, COCO-17 of others.

    Args:
        scene: whose stored frames are looked at.
        parameters: of the estimator.
        weights: folder of its weights.
        workers: processes; the result doesn't depend on their number.

    Raises:
        InputError: rtmlib or the weights can't be used, or nobody was found in any image.
    """
    own = parameters.estimator.rtmlib
    check_weight_files([each.file for each in networks(own)], _origin(own), weights)
    return look_at_images(scene, partial(estimator, own, weights), workers)


def fetch_weights(folder: Path, parameters: Parameters, cache: Path) -> None:
    """Put the weights into ``folder`` (see ``fetch_weight_files``)."""
    own = parameters.estimator.rtmlib
    fetch_weight_files([each.file for each in networks(own)], _origin(own), folder, cache)


def _origin(own: RtmLib) -> Origin:
    return Origin("rtmlib", HOST, own.source, own.sha256)


def networks(parameters: RtmLib) -> tuple[Network, ...]:
    """The networks that the parameters choose: a detector and a pose network, or one for both."""
    pose = POSES[parameters.model][parameters.mode]
    return (pose,) if parameters.model == "rtmo" else (DETECTORS[parameters.mode], pose)


def estimator(parameters: RtmLib, weights: Path) -> Look:
    """The estimator that the parameters choose, its weights in a folder."""
    chosen = networks(parameters)
    if len(chosen) == 1:
        return OneStage(parameters, chosen[0], weights)
    return TwoStages(parameters, chosen, weights)


class TwoStages:
    """The people in an image by YOLOX, and their joints by RTMPose.

    Args:
        parameters: whom it keeps.
        chosen: the detector and the pose network.
        weights: folder of their files.
    """

    def __init__(self, parameters: RtmLib, chosen: Sequence[Network], weights: Path) -> None:
        package = of_extra("rtmlib", "rtmlib")
        detector, pose = chosen
        self._detector = _loaded(package.YOLOX, detector, weights)
        self._pose = _loaded(package.RTMPose, pose, weights)
        self._least = parameters.person_score
        self._skeleton = HALPE_26 if parameters.model == "body_with_feet" else COCO_17

    def __call__(self, image: NDArray[np.uint8]) -> People2D:
        """The people in an (H, W, 3) RGB image."""
        boxes, person_scores = self._boxes(image)
        if not len(boxes):
            return People2D.nobody(self._skeleton)
        joints = zip(*(self._joints(image, box) for box in boxes), strict=True)
        points, scores = (np.stack(each) for each in joints)
        return with_fractions(points, scores, person_scores, self._skeleton, image.shape)

    def _boxes(self, image: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Boxes (P, 4), left, top, right, bottom, px, and their scores (P,); the network has
        suppressed duplicates itself."""
        padded, ratio = self._detector.preprocess(_bgr(image))
        found = self._detector.inference(padded)[0][0]
        kept = found[found[:, 4] >= self._least]
        return kept[:, :4] / ratio, kept[:, 4]

    def _joints(
        self, image: NDArray[np.uint8], box: NDArray[np.float32]
    ) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """The joints (J, 2), px, of the person in a box, and their scores (J,)."""
        crop, centre, scale = self._pose.preprocess(image, box)
        columns, rows = self._pose.inference(crop)
        points, _ = self._pose.postprocess((columns, rows), centre, scale)
        return points[0], np.minimum(columns.max(-1), rows.max(-1))[0]


class OneStage:
    """The people in an image by RTMO.

    Args:
        parameters: whom it keeps.
        chosen: the network.
        weights: folder of its file.
    """

    def __init__(self, parameters: RtmLib, chosen: Network, weights: Path) -> None:
        self._network = _loaded(of_extra("rtmlib", "rtmlib").RTMO, chosen, weights)
        self._least = parameters.person_score

    def __call__(self, image: NDArray[np.uint8]) -> People2D:
        """COCO-17 people in an (H, W, 3) RGB image."""
        padded, ratio = self._network.preprocess(_bgr(image))
        boxes, joints = (each[0] for each in self._network.inference(padded))
        kept = _distinct(boxes, self._least)
        if not kept:
            return People2D.nobody(COCO_17)
        points, scores = joints[kept, :, :2] / ratio, joints[kept, :, 2]
        return with_fractions(points, scores, boxes[kept, 4], COCO_17, image.shape)


def _distinct(boxes: NDArray[np.float32], least: float) -> list[int]:
    """Which of the boxes (P, 5), left, top, right, bottom, score, are people, each one once."""
    sides = np.concatenate([boxes[:, :2], boxes[:, 2:4] - boxes[:, :2]], axis=1)
    found = cv2.dnn.NMSBoxes(sides.tolist(), boxes[:, 4].tolist(), least, SAME_PERSON)
    return [int(index) for index in np.asarray(found).reshape(-1)]


def _bgr(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(image[..., ::-1])


def _loaded(kind: Callable[..., Any], network: Network, weights: Path) -> Any:
    """One of rtmlib's tools, on one thread; it prints what it loads."""
    runtime, path = of_extra("onnxruntime", "rtmlib"), str(weights / network.name)
    with redirect_stdout(io.StringIO()):
        tool = kind(path, model_input_size=network.size, backend="onnxruntime", device="cpu")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    tool.session = runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return tool
