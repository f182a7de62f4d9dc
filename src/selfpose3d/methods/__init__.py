"""METHODS: every way from data to 3D people, by the name that ``experiments.<name>.method`` gives.

An entry says which stages a method trains, how it predicts and what it asks for
(``methods.entry``). Reading the table imports none of the methods' code.
"""

from selfpose3d.methods.entry import Method, Stage
from selfpose3d.methods.joined import JOINED
from selfpose3d.methods.people_files import FILE
from selfpose3d.methods.training_free import TRAINING_FREE
from selfpose3d.methods.trust import TRUST
from selfpose3d.methods.voxels import SELFPOSE3D, VOXELPOSE
from selfpose3d.tables import Table, extensible

METHODS: Table[Method] = extensible(
    "methods",
    {
        "selfpose3d": SELFPOSE3D,
        "voxelpose": VOXELPOSE,
        "trust": TRUST,
        "training_free": TRAINING_FREE,
        "joined": JOINED,
        "file": FILE,
    },
)

STAGES: Table[Stage] = Table(
    lambda: {stage.name: stage for method in METHODS.values() for stage in method.stages}
)
"""Every training stage; methods may share one."""

__all__ = ["METHODS", "STAGES", "Method", "Stage"]
