"""From checkpoints to predictions, metrics, tables, the report and MLflow."""


rule predict:
    input:
        unpack(
            lambda wildcards: wiring.prediction_inputs(
                PLAN.experiments[wildcards.experiment]
            )
        ),
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
        gpu=lambda wildcards: int(PLAN.experiments[wildcards.experiment].runs_networks),
        mem_mb=4000,
        runtime=480,
    params:
        command=lambda wildcards, input: wiring.prediction_command(
            PLAN.experiments[wildcards.experiment], input
        ),
    message:
        "Export the predictions of {wildcards.experiment}"
    shell:
        "python -m selfpose3d {params.command} --out {output:q} > {log:q} 2>&1"


rule evaluate:
    input:
        predictions="results/experiments/{experiment}/predictions.parquet",
        truth=lambda wildcards: wiring.test_truth(
            PLAN.experiments[wildcards.experiment].dataset
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
        truth=lambda wildcards, input: wiring.repeated("--ground-truth", input.truth),
    message:
        "Evaluate {wildcards.experiment} by the published protocol"
    shell:
        "python -m selfpose3d evaluate --predictions {input.predictions:q} {params.truth}"
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
        description=lambda wildcards: wiring.describe_experiment(
            PLAN.experiments[wildcards.experiment]
        ),
    message:
        "Write down what {wildcards.experiment} is"
    shell:
        "python -m selfpose3d describe {params.description:q} --out {output:q} > {log:q} 2>&1"


rule table:
    input:
        metrics=lambda wildcards: wiring.experiment_files(
            wiring.table_experiments(PLAN, wildcards.table), "metrics.json"
        ),
        descriptions=lambda wildcards: wiring.experiment_files(
            wiring.table_experiments(PLAN, wildcards.table), "experiment.json"
        ),
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
        options=lambda wildcards: wiring.table_options(
            PARAMETERS, PLAN, wildcards.table
        ),
        published=lambda wildcards, input: wiring.repeated(
            "--published", input.published
        ),
    message:
        "Write the table '{params.title}'"
    shell:
        "python -m selfpose3d table --title {params.title:q} {params.options}"
        " {params.published} --out results/tables/{wildcards.table} > {log:q} 2>&1"


rule metrics:
    input:
        wiring.experiment_files(wiring.measured(*DEFAULT), "metrics.json"),
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
        rows=wiring.headline_rows(*DEFAULT),
    message:
        "Gather the headline metrics of all experiments"
    shell:
        "python -m selfpose3d metrics {params.rows} --out {output:q} > {log:q} 2>&1"


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
        experiment=PARAMETERS.mlflow.experiment,
    message:
        "Create or migrate the MLflow store"
    shell:
        "python -m selfpose3d record-prepare --experiment {params.experiment:q} > {log:q} 2>&1"


rule record:
    input:
        "results/mlflow.ready",
        lambda wildcards: wiring.checkpoints(
            stage.id for stage in PLAN.experiments[wildcards.experiment].stages
        ),
        lambda wildcards: wiring.known_benchmarks(
            PLAN.experiments[wildcards.experiment]
        ),
        description="results/experiments/{experiment}/experiment.json",
        predictions="results/experiments/{experiment}/predictions.parquet",
        metrics="results/experiments/{experiment}/metrics.json",
        scene=lambda wildcards: wiring.test_scenes(
            PLAN.experiments[wildcards.experiment].dataset
        )[0],
    output:
        "results/experiments/{experiment}/mlflow.json",
    log:
        "results/logs/record/{experiment}.log",
    benchmark:
        "results/benchmarks/record/{experiment}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mlflow=1,
        mem_mb=1000,
        runtime=30,
    params:
        experiment=PARAMETERS.mlflow.experiment,
    message:
        "Record {wildcards.experiment} in MLflow"
    shell:
        "python -m selfpose3d record results/experiments/{wildcards.experiment} --scene {input.scene:q}"
        " --benchmarks results/benchmarks --experiment {params.experiment:q} --out {output:q}"
        " > {log:q} 2>&1"


rule record_table:
    input:
        lambda wildcards: wiring.experiment_files(
            wiring.table_experiments(PLAN, wildcards.table), "mlflow.json"
        ),
    output:
        "results/tables/{table}.recorded.json",
    log:
        "results/logs/record_table/{table}.log",
    benchmark:
        "results/benchmarks/record_table/{table}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mlflow=1,
        mem_mb=1000,
        runtime=10,
    params:
        experiment=PARAMETERS.mlflow.experiment,
        runs=lambda wildcards: wiring.repeated(
            "--run",
            wiring.experiment_folders(wiring.table_experiments(PLAN, wildcards.table)),
        ),
    message:
        "Tag the runs of the table {wildcards.table} in MLflow"
    shell:
        "python -m selfpose3d record-table {wildcards.table:q} {params.runs}"
        " --experiment {params.experiment:q} --out {output:q} > {log:q} 2>&1"


rule report:
    input:
        **wiring.report_inputs(*DEFAULT),
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
        options=lambda wildcards, input: wiring.report_options(*DEFAULT, input),
        dataset=wiring.DATASET_TITLES[PARAMETERS.data.source],
    message:
        "Write results/report.html"
    shell:
        "python -m selfpose3d report --title 'SelfPose3d' --dataset {params.dataset:q} {params.options}"
        " --benchmarks results/benchmarks --out {output:q} > {log:q} 2>&1"
