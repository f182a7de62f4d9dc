"""The section ``tracking``."""

from pydantic import Field

from selfpose3d.parameters.section import Section


class Tracking(Section):
    """Recording of the runs in MLflow."""

    experiment: str = Field("selfpose3d", description="name of the MLflow experiment")
