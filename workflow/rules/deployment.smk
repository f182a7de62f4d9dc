"""Where conda is asked for but missing, a warning, and the current environment."""

import shutil

from snakemake.logging import logger
from snakemake.settings.types import DeploymentMethod

# Snakemake has no public way to withdraw --sdm conda (also written --use-conda): without this it
# stops at "Error running conda info". tests/workflow/test_conda.py watches over what is touched here.
if (
    DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method
    and shutil.which("conda") is None
):
    logger.warning(
        "--sdm conda (--use-conda): there is no 'conda' on PATH; going on in the current environment. "
        "To use the environments, install Miniforge (https://conda-forge.org/download)."
    )
    workflow.deployment_settings.deployment_method = set(
        workflow.deployment_settings.deployment_method
    ) - {DeploymentMethod.CONDA}
