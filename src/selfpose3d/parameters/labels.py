"""The section ``labels``."""

from typing import Literal

from pydantic import Field

from selfpose3d.parameters.section import Count, Fraction, NonNegative, Section, Seed
from selfpose3d.skeletons import ESTIMATORS_OWN, SKELETONS


class LabelSettings(Section):
    """Which detections become pseudo labels (paper section 4.2, table 16)."""

    person_score: Fraction = Field(
        0.7,
        description="lowest score of a kept person; paper 0.7, of a person box. BlazePose's "
        "presence, which stands in for it, is also a probability that somebody is there; at 0.7 "
        "98 % of the right people are kept",
    )
    joint_score: Fraction = Field(
        0.5,
        description="lowest score of a joint of the hard labels; paper 0.7. Of BlazePose's joints "
        "above 0.5, 98 % are off by less than 5 % of the person's height",
    )
    min_joints: Count = Field(4, description="fewest joints of a kept person")
    agreement: Fraction = Field(
        0.01,
        description="threshold of the consensus labels, as a fraction of the person's height: a "
        "joint nearer than this to the reprojected reconstruction stays; a joint farther away "
        "becomes the reprojection",
    )
    skeleton: Literal[(*SKELETONS, ESTIMATORS_OWN)] = Field(  # type: ignore[valid-type]
        "panoptic15",
        description="the joints of labels, networks and 3D people: panoptic15 (the paper's: neck, "
        "nose, mid-hip and the limbs), coco17 (nose, eyes, ears and the limbs; the root is the "
        "mean of the hips), estimator (the estimator's own, with its hands and feet) or others",
    )
    noise: NonNegative = Field(
        0.0,
        description="Gaussian noise added to every joint, for studies: standard deviation of x and "
        "of y in % of the person's height",
    )
    noise_seed: Seed = Field(0, description="seed of that noise")
