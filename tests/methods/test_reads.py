"""What the table of methods says of the parameters that its steps read."""

import json

import pytest

from selfpose3d.methods import METHODS, STAGES
from selfpose3d.parameters import Parameters, select
from tiny_stages import tiny


@pytest.mark.parametrize("parameters", [Parameters(), tiny("estimator"), tiny("backbone")])
def test_reads_name_real_parameters(parameters: Parameters) -> None:
    for stage in STAGES.values():
        assert json.dumps(select(parameters, stage.reads(parameters)))
    for method in METHODS.values():
        assert json.dumps(select(parameters, method.reads(parameters)))
