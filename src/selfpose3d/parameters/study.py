"""The sections ``experiments`` and ``tables``."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from selfpose3d.parameters.section import Section, Seed


class ExperimentSettings(Section):
    """One experiment: a method and the parameters that it changes."""

    title: str = Field(description="name of the experiment as printed in tables")
    method: str | None = Field(
        None,
        description="one of the table of methods; null: the method inherited through like, else "
        "selfpose3d; voxelpose learns from the 3D truth of the training sequences and is left out "
        "where there is none",
    )
    of: tuple[str, str] | None = Field(
        None,
        description="the two experiments of a joined one: it takes the first's people, and those "
        "of the second's people whom the first did not find",
    )
    like: str | tuple[str, ...] | None = Field(
        None,
        description="experiment whose method, of, set and test_on are inherited, or several, the "
        "later ones over the earlier",
    )
    set: dict[str, Any] = Field(
        default_factory=dict,
        description="changed parameters as dotted key: value; a stage's epochs replace its "
        "iterations and the reverse, and null leaves its length unchanged",
    )
    test_on: dict[str, Any] = Field(
        default_factory=dict,
        description="parameters changed for prediction and evaluation alone, as dotted key: value: "
        "data, estimator or labels other than in training",
    )

    @property
    def all_like(self) -> tuple[str, ...]:
        """The experiments that it is like."""
        return (self.like,) if isinstance(self.like, str) else self.like or ()

    @model_validator(mode="after")
    def _tested_with_the_trained_networks(self) -> "ExperimentSettings":
        wrong = sorted(key for key in self.test_on if key.partition(".")[0] not in TESTABLE)
        if wrong:
            raise ValueError(
                f"test_on: {wrong}: only keys of {list(TESTABLE)} can differ in the test"
            )
        return self


TESTABLE: tuple[str, ...] = (
    "data",
    "studio",
    "panoptic",
    "shelf",
    "campus",
    "mvor",
    "videos",
    "keypoints",
    "space",
    "estimator",
    "labels",
)
"""Sections that may differ between training and test; the trained networks stay the same."""


class RunSettings(Section):
    """What a plain run makes; every table is also made when it is asked for by its name."""

    tables: tuple[str, ...] = Field(
        ("methods", "soft_and_hard"),
        description="names of the tables to make, with their experiments; data without 3D truth "
        "fill none",
    )
    experiments: tuple[str, ...] | None = Field(
        None,
        description="names of further experiments to run; null: none, or, of data without 3D "
        "truth, the training-free one",
    )


class TableSettings(Section):
    """One results table: a list of experiments."""

    title: str = Field(description="heading of the table")
    rows: tuple[str, ...] = Field(description="names of the experiments, one per row")
    columns: tuple[str, ...] = Field(
        (),
        description="keys of metrics.json, nested keys with a dot (root.AP50); a column that only "
        "published rows have stays empty in ours; empty: the columns of the paper's table 1",
    )
    groups: tuple[Literal["per_sequence", "per_people", "per_views"], ...] = Field(
        (), description="groups of test frames that get rows of their own below each experiment"
    )
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)] | None = Field(
        None, description="training seeds of the rows; null: the top-level seeds"
    )
    published: tuple[str, ...] = Field(
        (), description="names of the tables in results/reference whose rows are printed below"
    )
