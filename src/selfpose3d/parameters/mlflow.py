"""The section ``mlflow``."""

from selfpose3d.parameters.section import Section


class Mlflow(Section):
    """Recording in MLflow."""

    experiment: str = "selfpose3d"
