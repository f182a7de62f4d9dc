"""What all share: the checked parameters, the plan, the environment of the jobs, and the functions
that rules give to Snakemake."""

import functools
import operator

import jobs
import resources as needs
import wiring
from snakemake.logging import logger
from selfpose3d.plan.code_versions import code_versions
from snakemake.settings.types import DeploymentMethod

PARAMETERS, PLAN = wiring.read_plan(config)
DEFAULT = wiring.by_default(PARAMETERS)
PRIORITY = jobs.priorities(PARAMETERS, PLAN)
CODE = code_versions()
"""The versions of the code. Rules whose results have no key in their paths show theirs as
``version``: with another one, Snakemake runs them again."""
ENVIRONMENT = str(REPOSITORY / "environment.yml")

wiring.export_environment(
    SOURCE,
    own_interpreter=DeploymentMethod.CONDA
    not in workflow.deployment_settings.deployment_method,
)

wiring.export_unkeyed(PARAMETERS)
shell.prefix(wiring.SHELL_PREFIX)

if workflow.output_settings.dryrun:
    logger.info(f"All that a plain run makes: {needs.estimate(*DEFAULT)}.")

NODES = {
    "host": PLAN.hosts,
    "scene": PLAN.scenes,
    "weights": PLAN.weights,
    "detections": PLAN.detections,
    "rig_check": PLAN.rig_checks,
    "labels": PLAN.labels,
    "reconstructions": PLAN.reconstructions,
    "backbone": PLAN.stages,
    "experiment": PLAN.experiments,
}
"""The nodes that each wildcard names."""


def of_node(wildcard, get):
    """What ``get`` makes of the node that a job's wildcard names."""
    return lambda wildcards: get(NODES[wildcard][wildcards[wildcard]])


def of_node_and_input(wildcard, get):
    """What ``get`` makes of the node that a job's wildcard names, and of the job's input."""
    return lambda wildcards, input: get(NODES[wildcard][wildcards[wildcard]], input)


def of_sequence(wildcard, get):
    """What ``get`` makes of the node that a job's wildcard names, and of its sequence."""
    return lambda wildcards: get(
        NODES[wildcard][wildcards[wildcard]], wildcards.sequence
    )


def of_stage(stage, get):
    """What ``get`` makes of the node of a training stage, whose rule's wildcard is the variant."""
    return lambda wildcards: get(PLAN.stages[f"{stage}-{wildcards.variant}"])


def parameters_of(wildcard):
    """The parameters of the node that a job's wildcard names, as a command takes them."""
    return of_node(wildcard, operator.attrgetter("parameters_json"))


def by_what_follows(rule):
    """A job's priority: of what could start, that comes first which the most time hangs on."""
    return lambda wildcards: PRIORITY["/".join([rule, *wildcards])]


def option(name, files):
    """A command's option, repeated for each of a job's input files of a name."""
    return lambda wildcards, input: wiring.repeated(name, input[files])


def by_sizes(wildcard, need):
    """What a job needs by all the parameters and the node that its wildcard names."""
    return of_node(wildcard, functools.partial(need, PARAMETERS))


def more_each_try(megabytes):
    """Memory that grows from try to try: a number of MB, or a function of the job's wildcards."""

    def asked(wildcards, attempt):
        return attempt * (megabytes(wildcards) if callable(megabytes) else megabytes)

    return asked


def detection_threads(wildcards):
    """Processes for one sequence: all cores are busy where sequences are few. A cluster's job has
    one, or as many as the profile sets."""
    here = workflow.is_main_process and workflow.local_exec
    cores = workflow.resource_settings.cores if here else 1
    return wiring.processes_a_sequence(DEFAULT[1], cores or 1)


@functools.cache
def table_alone(table):
    """A table's parameters and the plan of its rows alone; its report's job asks several times."""
    return wiring.of_table(PARAMETERS, table)


def of_table(get):
    """What ``get`` makes of the table that a job's wildcard names."""
    return lambda wildcards: get(PARAMETERS.tables[wildcards.table])


def of_table_runs(name):
    """A file of each experiment in the rows of the table that a job's wildcard names."""
    return lambda wildcards: wiring.experiment_files(
        wiring.table_experiments(PLAN, wildcards.table), name
    )


wildcard_constraints:
    host="[A-Za-z0-9_]+-[0-9a-f]{8}",
    scene="[A-Za-z0-9_]+-[0-9a-f]{8}",
    weights="[A-Za-z0-9_]+(-[0-9a-f]{8})?",
    detections="[A-Za-z0-9_]+-[0-9a-f]{8}",
    rig_check="rig-[0-9a-f]{8}",
    labels="(soft|hard|consensus)-[0-9a-f]{8}",
    reconstructions="training_free-[0-9a-f]{8}",
    experiment="[A-Za-z0-9_]+-seed[0-9]+-[0-9a-f]{8}",
    sequence="[A-Za-z0-9_]+",
    table="[A-Za-z0-9_]+",
