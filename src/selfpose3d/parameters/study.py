"""The sections ``experiments`` and ``tables``."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from selfpose3d.parameters.section import Section, Seed


class ExperimentSettings(Section):
    """One experiment: a method and what it changes in the parameters."""

    title: str = Field(description="as printed in the tables")
    method: str | None = Field(
        None,
        description="one of the table of methods; null: that of what it is like, or selfpose3d; "
        "voxelpose learns from the 3D truth of the training sequences; where data come without, "
        "it is left out",
    )
    of: tuple[str, str] | None = Field(
        None,
        description="joined: two experiments; the first's people, and the second's who are "
        "none of them",
    )
    like: str | None = Field(
        None, description="the experiment whose method, set and test_on it starts from"
    )
    set: dict[str, Any] = Field(
        default_factory=dict,
        description="dotted key: value; a stage's epochs replace its iterations and the other way "
        "round, null leaves its length as it is",
    )
    test_on: dict[str, Any] = Field(
        default_factory=dict,
        description="dotted key: value, for prediction and evaluation alone: other data, "
        "estimator or labels than it was trained on",
    )

    @model_validator(mode="after")
    def _tested_with_the_trained_networks(self) -> "ExperimentSettings":
        wrong = sorted(key for key in self.test_on if key.partition(".")[0] not in TESTABLE)
        if wrong:
            raise ValueError(f"test_on: {wrong}: only keys of {list(TESTABLE)} can differ there")
        return self


TESTABLE: tuple[str, ...] = ("data", "studio", "panoptic", "videos", "space", "estimator", "labels")
"""Sections that may differ between training and test: the networks stay what they are."""


class RunSettings(Section):
    """What a plain run makes; every table is also made when asked for by its name."""

    tables: tuple[str, ...] = Field(
        ("methods", "soft_and_hard"),
        description="tables, with the experiments in them; without 3D truth none can be filled",
    )
    experiments: tuple[str, ...] | None = Field(
        None,
        description="experiments besides; null: none, or the training-free one of data without "
        "3D truth",
    )


class TableSettings(Section):
    """One results table: a list of experiments."""

    title: str
    rows: tuple[str, ...]
    columns: tuple[str, ...] = Field(
        (),
        description="keys of metrics.json, a dot before a nested one (root.AP50); one that only "
        "published rows have stays empty in ours; none: those of the paper's table 1",
    )
    groups: tuple[Literal["per_sequence", "per_people"], ...] = Field(
        (), description="below each row, one for each of these groups of test frames"
    )
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)] | None = Field(
        None, description="of its rows; null: seeds"
    )
    published: tuple[str, ...] = Field((), description="of results/reference, printed below")
