"""trust_net's one training stage."""

from selfpose3d.methods.entry import StageInputs
from selfpose3d.methods.trust.predict import build_trust_net
from selfpose3d.methods.trust.synthetic_people import TrustBatches, TrustStep
from selfpose3d.training.data import training_data
from selfpose3d.training.devices import start_fabric
from selfpose3d.training.loop import repeatable, train
from selfpose3d.training.runs import stage_run


def train_trust(inputs: StageInputs) -> None:
    """Train trust_net on synthetic people made from the training-free reconstruction."""
    parameters = inputs.parameters
    settings = parameters.train.trust
    data = training_data(inputs.scenes, inputs.labels)
    with repeatable(parameters.seed, "trust"):
        fabric = start_fabric(parameters.compute)
        model = TrustStep(
            fabric, {"trust": build_trust_net(parameters.networks, data.skeleton)}, {}
        )
        people = TrustBatches(parameters, data, inputs.reconstructions, fabric.device)
        per_epoch = -(-people.count // settings.batch_size)
        run = stage_run(
            parameters,
            "trust",
            settings,
            data,
            inputs.out,
            per_epoch,
            people=inputs.reconstructions,
        )
        train(run, model, fabric, people.draw)
