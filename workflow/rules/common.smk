"""What every rule shares: the checked parameters, the plan, and how a command is called."""


def checked_parameters():
    try:
        return parse_parameters(
            {key: value for key, value in config.items()},
            "params.yaml and its overlays",
        )
    except InputError as error:
        raise WorkflowError(str(error))


def checked_plan(parameters):
    try:
        return make_plan(parameters)
    except InputError as error:
        raise WorkflowError(str(error))


PARAMETERS = checked_parameters()
PLAN = checked_plan(PARAMETERS)
# Own videos come without truth: what is measured against it is left out.
HAS_TRUTH = PARAMETERS.data.source != "videos"
TABLES = list(PARAMETERS.tables) if HAS_TRUTH else []
MEASURED_LABELS = [
    labels
    for labels in PLAN.labels.values()
    if HAS_TRUTH and labels.detections.dataset.train
]
ENVIRONMENT = str(REPOSITORY / "environment.yml")

# Jobs inherit these, in whatever environment and on whatever node they run: the package is found
# without being installed, and without conda the interpreter is the one that runs Snakemake.
os.environ["PYTHONPATH"] = os.pathsep.join(
    [str(SOURCE), *filter(None, [os.environ.get("PYTHONPATH")])]
)
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
if DeploymentMethod.CONDA not in workflow.deployment_settings.deployment_method:
    os.environ["PATH"] = os.pathsep.join(
        [str(Path(sys.executable).parent), os.environ["PATH"]]
    )

COMMAND = "OMP_NUM_THREADS={threads} python -m selfpose3d"


def inline(node):
    """A node's parameters as the JSON that a command takes."""
    return node.parameters_json


def repeated(option, values):
    return " ".join(f"{option} {value}" for value in values)


def describe_experiment(experiment):
    """One line of JSON on an experiment, for the report and MLflow."""
    dataset = experiment.dataset
    return json.dumps(
        {
            "id": experiment.id,
            "name": experiment.name,
            "seed": experiment.seed,
            "title": experiment.title,
            "method": experiment.method,
            "dataset": dataset.id,
            "settings": PARAMETERS.experiments[experiment.name].set,
            "parameters": experiment.resolved,
            "stages": [
                {"stage": stage.stage, "folder": f"results/stages/{stage.id}"}
                for stage in experiment.stages
            ],
            "sequences": {"train": dataset.train, "test": dataset.test},
        },
        sort_keys=True,
    )


def scene_folders(dataset, sequences):
    return [f"data/scenes/{dataset.id}/{sequence}" for sequence in sequences]


def truth_files(dataset, sequences):
    return [f"data/truth/{dataset.id}/{sequence}.parquet" for sequence in sequences]


def rig_file():
    return str(REPOSITORY / PARAMETERS.studio.rig)


wildcard_constraints:
    host="studio-[0-9a-f]{8}",
    dataset="[a-z0-9_]+-[0-9a-f]{8}",
    detections="[a-z0-9_]+-[0-9a-f]{8}",
    labels="(soft|hard)-[0-9a-f]{8}",
    reconstructions="training_free-[0-9a-f]{8}",
    experiment="[A-Za-z0-9_]+-seed[0-9]+-[0-9a-f]{8}",
    sequence="[A-Za-z0-9_]+",
    table="[a-z0-9_]+",
