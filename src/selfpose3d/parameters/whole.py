"""All sections together: ``params.yaml`` and what lies over it."""

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
from selfpose3d.parameters.mlflow import Mlflow
from selfpose3d.parameters.networks import Augmentation, Heatmaps, Networks
from selfpose3d.parameters.panoptic import Panoptic
from selfpose3d.parameters.section import Section, Seed
from selfpose3d.parameters.space import Space
from selfpose3d.parameters.studio import Studio
from selfpose3d.parameters.study import Method, Table
from selfpose3d.parameters.train import Train
from selfpose3d.parameters.training_free import TrainingFree
from selfpose3d.parameters.videos import Videos


class Parameters(Section):
    """Everything that ``params.yaml`` and its overlays may say."""

    seed: Seed = Field(0, description="of one training; set for each experiment from seeds")
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)] = Field(
        (0,), description="every learnt experiment is trained with each of them"
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
    mlflow: Mlflow = Mlflow()
    experiments: dict[str, Method] = Field(default_factory=dict)
    tables: dict[str, Table] = Field(default_factory=dict)

    def by_default(self) -> "Parameters":
        """With the tables that a plain run makes, and the experiments that no other table asks
        for alone; what these are like is resolved, as it may be gone."""
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
        """The seeds that an experiment is trained with: all that its tables ask for, ascending;
        a training-free one has nothing to draw and takes the first."""
        if self.method_of(experiment) == "training_free":
            return self.seeds[:1]
        tables = [
            each for each in self.tables.values() if experiment in self._with_parts(each.rows)
        ]
        asked = [table.seeds or self.seeds for table in tables] or [self.seeds]
        return tuple(sorted({seed for seeds in asked for seed in seeds}))

    def parts_of(self, experiment: str) -> tuple[str, ...]:
        """The two experiments that a joined one is of; none of another.

        Raises:
            InputError: it names none, or such as can't be joined.
        """
        described = self.described(experiment)
        if described.method != "joined":
            if described.of is not None:
                raise InputError(
                    f"experiments.{experiment}.of: only a joined experiment has it; "
                    "set method: joined, or remove it"
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
        """With what the joined ones among the experiments are of."""
        names = set(experiments)
        return names.union(*(self.parts_of(name) for name in names & set(self.experiments)))

    def method_of(self, experiment: str) -> str:
        """The method of an experiment, or of what it is like."""
        return self.described(experiment).method or "selfpose3d"

    def described(self, experiment: str) -> Method:
        """An experiment with the method and settings of what it is like under its own.

        Raises:
            InputError: it is like an experiment that is not there, or, in the end, like itself.
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
