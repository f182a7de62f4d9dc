"""From checkpoints to predictions, metrics, tables, the report and MLflow."""


def experiment_of(wildcards):
    return PLAN.experiments[wildcards.experiment]


def test_scenes(wildcards):
    dataset = experiment_of(wildcards).dataset
    return scene_folders(dataset, dataset.test)


def prediction_inputs(wildcards):
    """A learnt experiment's checkpoints; a training-free one's reconstructions."""
    experiment = experiment_of(wildcards)
    if experiment.method == "training_free":
        return {
            "reconstructions": f"data/reconstructions/{experiment.reconstructions.id}"
        }
    return {
        "checkpoints": [
            f"results/stages/{stage.id}/checkpoint.pt" for stage in experiment.stages
        ],
        "scenes": test_scenes(wildcards),
        "labels": f"data/labels/{experiment.labels.id}",
    }


def prediction_command(wildcards, input):
    experiment = experiment_of(wildcards)
    if experiment.method == "training_free":
        files = [
            f"{input.reconstructions}/{name}.parquet"
            for name in experiment.dataset.test
        ]
        return "gather " + " ".join(files)
    return " ".join(
        [
            f"predict --parameters '{inline(experiment)}' --labels {input.labels}",
            repeated("--checkpoint", input.checkpoints),
            repeated("--scene", input.scenes),
        ]
    )


def experiment_folders(name):
    return [f"results/experiments/{run.id}" for run in PLAN.by_name[name]]


def table_inputs(wildcards):
    return [
        f"{folder}/metrics.json"
        for row in PARAMETERS.tables[wildcards.table].rows
        for folder in experiment_folders(row)
    ]


rule predict:
    input:
        unpack(prediction_inputs),
    output:
        "results/experiments/{experiment}/predictions.parquet",
    log:
        "results/logs/predict/{experiment}.log",
    benchmark:
        "results/benchmarks/predict/{experiment}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        gpu=lambda wildcards: int(experiment_of(wildcards).method == "selfpose3d"),
        mem_mb=4000,
        runtime=480,
    params:
        command=prediction_command,
    message:
        "Export the predictions of {wildcards.experiment}"
    shell:
        COMMAND + " {params.command} --out {output:q} > {log:q} 2>&1"


rule evaluate:
    input:
        predictions="results/experiments/{experiment}/predictions.parquet",
        truth=lambda wildcards: truth_files(
            experiment_of(wildcards).dataset, experiment_of(wildcards).dataset.test
        ),
    output:
        "results/experiments/{experiment}/metrics.json",
    log:
        "results/logs/evaluate/{experiment}.log",
    benchmark:
        "results/benchmarks/evaluate/{experiment}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        truth=lambda wildcards, input: repeated("--ground-truth", input.truth),
    message:
        "Evaluate {wildcards.experiment} by the published protocol"
    shell:
        COMMAND + " evaluate --predictions {input.predictions:q} {params.truth}"
        " --out {output:q} > {log:q} 2>&1"


rule describe:
    output:
        "results/experiments/{experiment}/experiment.json",
    log:
        "results/logs/describe/{experiment}.log",
    benchmark:
        "results/benchmarks/describe/{experiment}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        description=lambda wildcards: describe_experiment(experiment_of(wildcards)),
    message:
        "Write down what {wildcards.experiment} is"
    shell:
        "printf '%s\\n' {params.description:q} > {output:q} 2> {log:q}"


rule table:
    input:
        metrics=table_inputs,
        descriptions=lambda wildcards: [
            f"{folder}/experiment.json"
            for row in PARAMETERS.tables[wildcards.table].rows
            for folder in experiment_folders(row)
        ],
        published=lambda wildcards: [
            str(REPOSITORY / f"results/reference/{name}.csv")
            for name in PARAMETERS.tables[wildcards.table].published
        ],
    output:
        multiext("results/tables/{table}", ".csv", ".md", ".tex"),
    log:
        "results/logs/table/{table}.log",
    benchmark:
        "results/benchmarks/table/{table}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        title=lambda wildcards: PARAMETERS.tables[wildcards.table].title,
        rows=lambda wildcards: " ".join(
            "--row " + ",".join(experiment_folders(row))
            for row in PARAMETERS.tables[wildcards.table].rows
        ),
        published=lambda wildcards, input: repeated("--published", input.published),
    message:
        "Write the table '{params.title}'"
    shell:
        COMMAND + " table --title {params.title:q} {params.rows}"
        " {params.published} --out results/tables/{wildcards.table} > {log:q} 2>&1"


rule metrics:
    input:
        expand(
            "results/experiments/{experiment}/metrics.json",
            experiment=PLAN.experiments,
        ),
    output:
        "results/metrics.json",
    log:
        "results/logs/metrics.log",
    benchmark:
        "results/benchmarks/metrics/metrics.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        rows=" ".join(
            f"--row {name}=" + ",".join(experiment_folders(name))
            for name in PLAN.by_name
        ),
    message:
        "Gather the headline metrics of all experiments"
    shell:
        COMMAND + " metrics {params.rows} --out {output:q} > {log:q} 2>&1"


rule mlflow_store:
    output:
        touch("results/mlflow.ready"),
    log:
        "results/logs/mlflow_store.log",
    benchmark:
        "results/benchmarks/mlflow_store/store.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        tracking=PARAMETERS.tracking.experiment,
    message:
        "Create or migrate the MLflow store"
    shell:
        COMMAND + " track-prepare --experiment {params.tracking:q} > {log:q} 2>&1"


rule track:
    input:
        "results/mlflow.ready",
        lambda wildcards: [
            f"results/stages/{stage.id}/checkpoint.pt"
            for stage in experiment_of(wildcards).stages
        ],
        description="results/experiments/{experiment}/experiment.json",
        predictions="results/experiments/{experiment}/predictions.parquet",
        metrics="results/experiments/{experiment}/metrics.json",
        scene=lambda wildcards: test_scenes(wildcards)[0],
    output:
        "results/experiments/{experiment}/mlflow.json",
    log:
        "results/logs/track/{experiment}.log",
    benchmark:
        "results/benchmarks/track/{experiment}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mlflow=1,
        mem_mb=1000,
        runtime=30,
    params:
        tracking=PARAMETERS.tracking.experiment,
    message:
        "Record {wildcards.experiment} in MLflow"
    shell:
        COMMAND
        + " track results/experiments/{wildcards.experiment} --scene {input.scene:q}"
        " --experiment {params.tracking:q} --out {output:q} > {log:q} 2>&1"


def report_inputs(wildcards):
    """Every experiment and the scenes; what needs the truth; the footage where there is one."""
    first = next(iter(PLAN.experiments.values()))
    files = ["experiment.json", "predictions.parquet"] + ["metrics.json"] * HAS_TRUTH
    inputs = {
        "tables": [f"results/tables/{table}.csv" for table in TABLES],
        "experiments": [
            f"results/experiments/{experiment}/{name}"
            for experiment in PLAN.experiments
            for name in files
        ],
        "quality": [f"results/labels/{labels.id}.json" for labels in MEASURED_LABELS],
        "scenes": scene_folders(first.dataset, first.dataset.test),
        "truth": truth_files(first.dataset, first.dataset.test) if HAS_TRUTH else [],
        "stages": [f"results/stages/{stage}/checkpoint.pt" for stage in PLAN.stages],
    }
    if PLAN.footage:
        dataset = PLAN.footage.labels.detections.dataset
        inputs["footage_scene"] = scene_folders(dataset, dataset.test)
        inputs["footage_people"] = f"data/reconstructions/{PLAN.footage.id}"
        inputs["footage_report"] = (
            f"results/reprojection/{PLAN.footage.id}/{dataset.test[0]}.json"
        )
    return inputs


def report_options(wildcards, input):
    tables = [
        f"{PARAMETERS.tables[key].title}=results/tables/{key}.csv" for key in TABLES
    ]
    quality = [
        f"{labels.kind.capitalize()} labels=results/labels/{labels.id}.json"
        for labels in MEASURED_LABELS
    ]
    options = [
        repeated("--table", map(shlex.quote, tables)),
        repeated(
            "--experiment", [f"results/experiments/{name}" for name in PLAN.experiments]
        ),
        repeated("--stage", [f"results/stages/{stage}" for stage in PLAN.stages]),
        repeated("--quality", map(shlex.quote, quality)),
        repeated("--scene", input.scenes),
        repeated("--truth", input.truth),
    ]
    if PLAN.footage:
        name = PLAN.footage.labels.detections.dataset.test[0]
        options += [
            f"--footage-scene {input.footage_scene}",
            f"--footage-people {input.footage_people}/{name}.parquet",
            f"--footage-report {input.footage_report}",
        ]
    return " ".join(options)


DATASET_TITLES = {
    "studio": "Studio (rendered people)",
    "panoptic": "CMU Panoptic",
    "videos": "Own cameras",
}


rule report:
    input:
        unpack(report_inputs),
    output:
        "results/report.html",
    log:
        "results/logs/report.log",
    benchmark:
        "results/benchmarks/report/report.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        options=report_options,
        dataset=DATASET_TITLES[PARAMETERS.data.source],
    message:
        "Write results/report.html"
    shell:
        COMMAND
        + " report --title 'SelfPose3d' --dataset {params.dataset:q} {params.options}"
        " --benchmarks results/benchmarks --out {output:q} > {log:q} 2>&1"
