"""All sections together: ``params.yaml`` and the overlays laid over it."""

from collections.abc import Iterable
from typing import Annotated

from pydantic import Field

from selfpose3d.errors import InputError
from selfpose3d.parameters.compute import Compute
from selfpose3d.parameters.data import Data
from selfpose3d.parameters.estimator import Estimator
from selfpose3d.parameters.footage import Footage
from selfpose3d.parameters.inference import Inference
from selfpose3d.parameters.labels import Labels
from selfpose3d.parameters.networks import Augmentation, Heatmaps, Networks
from selfpose3d.parameters.panoptic import Panoptic
from selfpose3d.parameters.section import Section, Seed
from selfpose3d.parameters.space import Space
from selfpose3d.parameters.studio import Studio
from selfpose3d.parameters.study import Method, Table
from selfpose3d.parameters.tracking import Tracking
from selfpose3d.parameters.train import Train
from selfpose3d.parameters.training_free import TrainingFree
from selfpose3d.parameters.videos import Videos


class Parameters(Section):
    """Everything that ``params.yaml`` and its overlays may say."""

    seed: Seed = Field(0, description="seed of one training; the workflow sets it from seeds")
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)] = Field(
        (0,), description="training seeds; every experiment that trains is run with each of them"
    )
    data: Data = Data()
    studio: Studio = Studio()
    panoptic: Panoptic = Panoptic()
    videos: Videos = Videos()
    footage: Footage = Footage()
    space: Space = Space()
    estimator: Estimator = Estimator()
    labels: Labels = Labels()
    heatmaps: Heatmaps = Heatmaps()
    networks: Networks = Networks()
    augmentation: Augmentation = Augmentation()
    train: Train = Train()
    compute: Compute = Compute()
    inference: Inference = Inference()
    training_free: TrainingFree = TrainingFree()
    tracking: Tracking = Tracking()
    experiments: dict[str, Method] = Field(
        default_factory=dict, description="experiments by name: a method and changed parameters"
    )
    tables: dict[str, Table] = Field(
        default_factory=dict, description="results tables by name, with their experiments as rows"
    )

    def by_default(self) -> "Parameters":
        """The parameters of a plain run: its tables, and the experiments that it makes.

        An experiment stays if a table of the plain run or no table at all names it. Its ``like`` is
        resolved, since the experiment that it starts from may be left out.
        """
        tables = {name: table for name, table in self.tables.items() if table.by_default}
        asked = self._with_parts(row for table in self.tables.values() for row in table.rows)
        wanted = self._with_parts(row for table in tables.values() for row in table.rows)
        experiments = {
            name: self.described(name).model_copy(update={"like": None})
            for name in self.experiments
            if name in wanted or name not in asked
        }
        return self.model_copy(update={"experiments": experiments, "tables": tables})

    def seeds_of(self, experiment: str) -> tuple[int, ...]:
        """The seeds that an experiment is run with, ascending: all that its tables ask for.

        A training-free experiment draws nothing at random and takes the first seed alone.
        """
        if self.method_of(experiment) == "training_free":
            return self.seeds[:1]
        tables = [
            each for each in self.tables.values() if experiment in self._with_parts(each.rows)
        ]
        asked = [table.seeds or self.seeds for table in tables] or [self.seeds]
        return tuple(sorted({seed for seeds in asked for seed in seeds}))

    def parts_of(self, experiment: str) -> tuple[str, ...]:
        """The two experiments that a joined experiment combines; none for any other method.

        Raises:
            InputError: a joined experiment names none, or experiments that can't be joined.
        """
        described = self.described(experiment)
        if described.method != "joined":
            if described.of is not None:
                raise InputError(
                    f"experiments.{experiment}.of: only a joined experiment has this key; "
                    "set method: joined, or remove the key"
                )
            return ()
        known = {name for name in self.experiments if self.method_of(name) != "joined"}
        own = {**described.set, **described.test_on}
        if described.of is None or not set(described.of) <= known or own:
            raise InputError(
                f"experiments.{experiment}: a joined experiment names two others and has neither "
                f"set nor test_on: of: [first, second] (got {described.of}, {own}); "
                f"known: {sorted(known)}"
            )
        return described.of

    def _with_parts(self, experiments: Iterable[str]) -> set[str]:
        """The experiments, and the parts of those among them that are joined."""
        names = set(experiments)
        return names.union(*(self.parts_of(name) for name in names & set(self.experiments)))

    def method_of(self, experiment: str) -> str:
        """The method of an experiment, its own or inherited through ``like``."""
        return self.described(experiment).method or "selfpose3d"

    def described(self, experiment: str) -> Method:
        """An experiment, its own method and settings laid over those inherited through ``like``.

        Raises:
            InputError: ``like`` names an unknown experiment, or leads back to the experiment.
        """
        chain = [experiment]
        while (like := self.experiments[chain[-1]].like) is not None:
            if like not in self.experiments or like in chain:
                problem = "is like itself" if like in chain else "is no experiment"
                raise InputError(
                    f"experiments.{chain[-1]}.like: {like!r} {problem}; "
                    f"known: {sorted(self.experiments)}"
                )
            chain.append(like)
        merged = self.experiments[chain[-1]]
        for own in (self.experiments[name] for name in reversed(chain[:-1])):
            inherited = {
                "method": own.method or merged.method,
                "of": own.of or merged.of,
                "set": {**merged.set, **own.set},
                "test_on": {**merged.test_on, **own.test_on},
            }
            merged = own.model_copy(update=inherited)
        return merged
