"""trust_net's one training stage."""

from collections.abc import Sequence
from pathlib import Path

from selfpose3d.files.poses2d import Views
from selfpose3d.files.poses3d import Frames
from selfpose3d.files.scenes import Scene
from selfpose3d.methods.trust.predict import build_trust_net
from selfpose3d.methods.trust.synthetic_people import TrustBatches, TrustStep
from selfpose3d.parameters import Parameters
from selfpose3d.training.data import training_data
from selfpose3d.training.devices import start_fabric
from selfpose3d.training.loop import repeatable, train
from selfpose3d.training.runs import stage_run


def train_trust(
    parameters: Parameters,
    scenes: Sequence[Scene],
    labels: Sequence[Views],
    reconstructions: Sequence[Frames],
    out: Path,
) -> None:
    """Train trust_net on synthetic people made from the training-free reconstruction.

    Args:
        parameters: what ``READS["trust"]`` lists.
        scenes: training sequences.
        labels: the 2D people of each.
        reconstructions: the training-free 3D people of each.
        out: folder of checkpoint.pt and curves.csv.
    """
    settings = parameters.train.trust
    data = training_data(scenes, labels)
    with repeatable(parameters.seed, "trust", settings.threads):
        fabric = start_fabric(parameters.compute)
        model = TrustStep(fabric, {"trust": build_trust_net(parameters.networks)}, {})
        people = TrustBatches(parameters, data, reconstructions, fabric.device)
        per_epoch = -(-people.count // settings.batch_size)
        run = stage_run(parameters, "trust", settings, data, out, per_epoch)
        train(run, model, fabric, people.draw)
