"""The experiments and tables of the parameters, resolved: who is like whom, who joins whom, with
which seeds each is run, and which a plain run makes."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from selfpose3d.errors import InputError
from selfpose3d.methods import METHODS, Method
from selfpose3d.parameters import ExperimentSettings, Parameters
from selfpose3d.sources import SOURCES
from selfpose3d.tables import known

DEFAULT_METHOD = "selfpose3d"
NAME = re.compile(r"[A-Za-z0-9_]+")
"""Names become parts of paths and of Snakemake's targets."""


@dataclass(frozen=True)
class Chosen:
    """Names of experiments and tables that are to be made."""

    experiments: tuple[str, ...]
    tables: tuple[str, ...]


def everything(parameters: Parameters) -> Chosen:
    """All experiments and tables that the parameters name."""
    return Chosen(tuple(parameters.experiments), tuple(parameters.tables))


def plain_run(parameters: Parameters) -> Chosen:
    """The experiments and tables of a plain run: the chosen tables with their experiments, and
    further chosen experiments.

    Data without 3D truth fill no table: of them the chosen experiments are run, or else the
    training-free one.

    Raises:
        InputError: a chosen table or experiment is not there, or nothing is chosen.
    """
    run = parameters.run
    for table in run.tables:
        known(parameters.tables, table, "run.tables")
    for experiment in run.experiments or ():
        known(parameters.experiments, experiment, "run.experiments")
    if has_truth(parameters):
        rows = [row for table in run.tables for row in parameters.tables[table].rows]
        chosen = Chosen(_ordered(parameters, [*rows, *(run.experiments or ())]), run.tables)
    else:
        chosen = Chosen(_ordered(parameters, run.experiments or _training_free(parameters)), ())
    if not chosen.experiments:
        raise InputError(
            "run: no experiment is chosen; name tables in run.tables or experiments in "
            f"run.experiments; known experiments: {sorted(parameters.experiments)}"
        )
    return chosen


def of_table(parameters: Parameters, table: str) -> Chosen:
    """A table alone, with the experiments in its rows."""
    return Chosen(_ordered(parameters, parameters.tables[table].rows), (table,))


def has_truth(parameters: Parameters) -> bool:
    """Whether the data come with 3D truth to measure against."""
    return known(SOURCES, parameters.data.source, "data.source").has_truth


def check_names(parameters: Parameters) -> None:
    """Refuse names of experiments and tables that would break a path."""
    for section in ("experiments", "tables"):
        strange = [n for n in getattr(parameters, section) if not NAME.fullmatch(n)]
        if strange:
            raise InputError(
                f"{section}: the names {strange} are to be of letters, digits and _ alone, as they "
                "become parts of file names; say the rest in 'title'"
            )


def method_of(parameters: Parameters, experiment: str) -> Method:
    """The method of an experiment, or of what it is like."""
    name = method_name(parameters, experiment)
    return known(METHODS, name, f"experiments.{experiment}.method")


def method_name(parameters: Parameters, experiment: str) -> str:
    """The name of an experiment's method in the table of methods."""
    return described(parameters, experiment).method or DEFAULT_METHOD


def seeds_of(parameters: Parameters, experiment: str, tables: Iterable[str]) -> tuple[int, ...]:
    """The seeds that an experiment is trained with: all that those of the tables ask for that it
    is in, ascending; one without training has nothing to draw and takes the first."""
    method = method_of(parameters, experiment)
    if not method.stages and not method.joins:
        return parameters.seeds[:1]
    with_it = [
        parameters.tables[table]
        for table in tables
        if experiment in with_parts(parameters, parameters.tables[table].rows)
    ]
    asked = [table.seeds or parameters.seeds for table in with_it] or [parameters.seeds]
    return tuple(sorted({seed for seeds in asked for seed in seeds}))


def parts_of(parameters: Parameters, experiment: str) -> tuple[str, ...]:
    """The experiments that a joining one is of; none of another.

    Raises:
        InputError: it names none, or such as can't be joined.
    """
    own, joins = described(parameters, experiment), method_of(parameters, experiment).joins
    if not joins:
        if own.of is not None:
            raise InputError(
                f"experiments.{experiment}.of: only a joined experiment has it; "
                "set method: joined, or remove it"
            )
        return ()
    names = {name for name in parameters.experiments if not method_of(parameters, name).joins}
    changes = {**own.set, **own.test_on}
    if own.of is None or not set(own.of) <= names or changes:
        raise InputError(
            f"experiments.{experiment}: a joined experiment names two others and has neither "
            f"set nor test_on: of: [first, second] (got {own.of}, {changes}); "
            f"known: {sorted(names)}"
        )
    return own.of


def with_parts(parameters: Parameters, experiments: Iterable[str]) -> set[str]:
    """The experiments, and those that the joined ones among them put together."""
    names = set(experiments)
    return names.union(
        *(parts_of(parameters, name) for name in names & set(parameters.experiments))
    )


def described(
    parameters: Parameters, experiment: str, asked: tuple[str, ...] = ()
) -> ExperimentSettings:
    """An experiment with the method and settings of what it is like under its own.

    Args:
        parameters: all of them.
        experiment: its name.
        asked: the experiments that are like it, down to the one that was asked for.

    Raises:
        InputError: it is like an experiment that is not there, or, in the end, like itself.
    """
    own, chain = parameters.experiments[experiment], (*asked, experiment)
    merged = own
    for like in reversed(own.all_like):
        if like not in parameters.experiments or like in chain:
            problem = "is like itself" if like in chain else "is no experiment"
            raise InputError(
                f"experiments.{experiment}.like: {like!r} {problem}; "
                f"known: {sorted(parameters.experiments)}"
            )
        merged = _over(merged, described(parameters, like, chain))
    return merged


def _over(own: ExperimentSettings, inherited: ExperimentSettings) -> ExperimentSettings:
    """An experiment with what it does not say itself taken from another."""
    settings = {
        "method": own.method or inherited.method,
        "of": own.of or inherited.of,
        "set": {**inherited.set, **own.set},
        "test_on": {**inherited.test_on, **own.test_on},
    }
    return own.model_copy(update=settings)


def with_likes(parameters: Parameters) -> Parameters:
    """The parameters with what each experiment is like laid under its own, once for all.

    Raises:
        InputError: as ``described``.
    """
    merged = {
        name: described(parameters, name).model_copy(update={"like": None})
        for name in parameters.experiments
    }
    return parameters.model_copy(update={"experiments": merged})


def _training_free(parameters: Parameters) -> list[str]:
    """The experiments that need no training and change nothing."""
    return [
        name
        for name in parameters.experiments
        if not (method := method_of(parameters, name)).stages
        and not method.joins
        and not described(parameters, name).set
    ]


def _ordered(parameters: Parameters, names: Iterable[str]) -> tuple[str, ...]:
    """The experiments and what they join, in the parameters' order; unknown ones last."""
    wanted = with_parts(parameters, names)
    order = {name: place for place, name in enumerate(parameters.experiments)}
    return tuple(sorted(wanted, key=lambda name: (order.get(name, len(order)), name)))
