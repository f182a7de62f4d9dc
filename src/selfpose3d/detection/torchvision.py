"""Keypoint R-CNN (He et al. 2017) of torchvision, with a ResNet-50 and feature pyramid.

A person's score is the probability of the box. A joint's score is the logistic function of its
heatmap's peak: the network gives the peak without a scale, so that the scores' order is its own and
their size is not a probability.
"""

from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit

from selfpose3d.detection.extras import of_extra
from selfpose3d.detection.images import look_at_images, with_fractions
from selfpose3d.errors import InputError
from selfpose3d.fetch.weight_files import (
    Origin,
    WeightFile,
    check_weight_files,
    fetch_weight_files,
)
from selfpose3d.files.poses2d import People2D, Views
from selfpose3d.files.scenes import Scene
from selfpose3d.networks.weights import read_weights
from selfpose3d.parameters import Parameters, TorchVision
from selfpose3d.skeletons import COCO_17

HOST = "https://download.pytorch.org/models"
NAME = "keypointrcnn_resnet50_fpn_coco-fc266e95.pth"
FILE = WeightFile(
    NAME, NAME, "pth", "fc266e953d2b302cdcbb9ae66f71f6b0d4649928bf02dc573961e361e4918926"
)
"""``KeypointRCNN_ResNet50_FPN_Weights.COCO_V1``, 226 MB."""


def detect_torchvision(
    scene: Scene, parameters: Parameters, weights: Path, workers: int = 1
) -> Views:
    """The people of all images of a scene, COCO-17.

    Args:
        scene: whose stored frames are looked at.
        parameters: of the estimator.
        weights: folder of its weights.
        workers: processes; the result doesn't depend on their number.

    Raises:
        InputError: torchvision or the weights can't be used, or nobody was found in any image.
    """
    own = parameters.estimator.torchvision
    check_weight_files([FILE], _origin(own), weights)
    return look_at_images(scene, partial(KeypointRCNN, own, weights), workers)


def fetch_weights(folder: Path, parameters: Parameters, cache: Path) -> None:
    """Put the weights into ``folder`` (see ``fetch_weight_files``)."""
    fetch_weight_files([FILE], _origin(parameters.estimator.torchvision), folder, cache)


def _origin(own: TorchVision) -> Origin:
    return Origin("torchvision", HOST, own.source, own.sha256)


class KeypointRCNN:
    """The people in an image.

    Args:
        parameters: whom it keeps.
        weights: folder of the weights.
    """

    def __init__(self, parameters: TorchVision, weights: Path) -> None:
        models = of_extra("torchvision", "torchvision").models.detection
        torch.set_num_threads(1)
        self._network = models.keypointrcnn_resnet50_fpn(
            weights=None, weights_backbone=None, box_score_thresh=parameters.person_score
        ).eval()
        held = read_weights(weights / NAME)
        try:
            self._network.load_state_dict(held)
        except RuntimeError as error:
            raise InputError(
                f"{weights / NAME}: not the weights of keypointrcnn_resnet50_fpn ({error}); fetch "
                "them again"
            ) from error

    @torch.inference_mode()
    def __call__(self, image: NDArray[np.uint8]) -> People2D:
        """COCO-17 people in an (H, W, 3) RGB image."""
        pixels = torch.from_numpy(image).permute(2, 0, 1).float() / 255
        found = {key: value.numpy() for key, value in self._network([pixels])[0].items()}
        return with_fractions(
            found["keypoints"][..., :2],
            expit(found["keypoints_scores"]),
            found["scores"],
            COCO_17,
            image.shape,
        )
