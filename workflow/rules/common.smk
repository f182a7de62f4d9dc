"""What all share: the checked parameters, the plan, the environment of the jobs."""

import wiring
from snakemake.settings.types import DeploymentMethod

PARAMETERS, PLAN = wiring.read_plan(config)
DEFAULT = wiring.by_default(PARAMETERS)
ALSO = wiring.also(PARAMETERS)
ENVIRONMENT = str(REPOSITORY / "environment.yml")

wiring.export_environment(
    SOURCE,
    own_interpreter=DeploymentMethod.CONDA
    not in workflow.deployment_settings.deployment_method,
)


wildcard_constraints:
    host="[a-z0-9_]+-[0-9a-f]{8}",
    scene="[a-z0-9_]+-[0-9a-f]{8}",
    detections="[a-z0-9_]+-[0-9a-f]{8}",
    labels="(soft|hard)-[0-9a-f]{8}",
    reconstructions="training_free-[0-9a-f]{8}",
    experiment="[A-Za-z0-9_]+-seed[0-9]+-[0-9a-f]{8}",
    sequence="[A-Za-z0-9_]+",
    table="[A-Za-z0-9_]+",
