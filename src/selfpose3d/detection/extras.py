"""Packages that only some estimators need: imported when they are used, from an extra."""

from importlib import import_module
from types import ModuleType

from selfpose3d.errors import InputError

_BY_HAND = {"rtmlib": " and pip install --no-deps rtmlib"}
"""Further commands to install an extra. rtmlib's own requirements would replace the OpenCV without
windows by builds with windows."""


def of_extra(package: str, extra: str) -> ModuleType:
    """A package that the estimator of the same name as its extra needs.

    Args:
        package: its name, as it is imported.
        extra: of this package, which brings it.

    Raises:
        InputError: it is not installed, or what it needs does not fit together.
    """
    install = f'pip install "selfpose3d[{extra}]"{_BY_HAND.get(extra, "")}'
    try:
        return import_module(package)
    except ModuleNotFoundError as error:
        raise InputError(
            f"estimator.name: {extra} needs the package {error.name}: {install}"
        ) from error
    except (ImportError, OSError, RuntimeError) as error:
        raise InputError(
            f"estimator.name: {extra} needs the package {package}, and what is installed does not "
            f"load ({error}). Builds of torch and torchvision must come from one index, both for "
            f"the CPU or both for CUDA: {install}, with the pip options that torch was installed "
            "with"
        ) from error
