"""The section ``tracking``."""

from selfpose3d.parameters.section import Section


class Tracking(Section):
    """MLflow."""

    experiment: str = "selfpose3d"
