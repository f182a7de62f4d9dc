"""The section ``mlflow``."""

from pydantic import Field

from selfpose3d.parameters.section import Section


class Mlflow(Section):
    """Recording of the runs in MLflow."""

    experiment: str = Field("selfpose3d", description="name of the MLflow experiment")
