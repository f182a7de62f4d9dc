"""The section ``labels``."""

from pydantic import Field

from selfpose3d.parameters.section import Count, Fraction, NonNegative, Section, Seed


class LabelSettings(Section):
    """Which detections become labels (paper section 4.2, table 16)."""

    person_score: Fraction = Field(
        0.7,
        description="least score of a person; paper 0.7 (a box's; BlazePose's presence is as well "
        "a probability that somebody is there, and 0.7 keeps 98 % of the right ones)",
    )
    joint_score: Fraction = Field(
        0.5,
        description="hard labels: least score of a joint; paper 0.7 (of BlazePose's joints above "
        "0.5, 98 % are off by less than 5 % of the height)",
    )
    min_joints: Count = Field(4, description="fewest joints of a kept person")
    noise: NonNegative = Field(
        0.0,
        description="put on every joint, standard deviation of x and of y in % of a person's "
        "height: a dose to study, 0 otherwise",
    )
    noise_seed: Seed = Field(0, description="of that noise")
