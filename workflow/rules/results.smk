"""From checkpoints to predictions, metrics, tables, the report and MLflow."""


rule predict:
    input:
        unpack(of_node("experiment", wiring.prediction_inputs)),
    output:
        "results/experiments/{experiment}/predictions.parquet",
    log:
        "results/logs/predict/{experiment}.log",
    benchmark:
        "results/benchmarks/predict/{experiment}.tsv"
    priority: by_what_follows("predict")
    conda:
        ENVIRONMENT
    threads: by_sizes("experiment", needs.prediction_threads)
    resources:
        gpu=by_sizes("experiment", needs.prediction_gpus),
        mem_mb=more_each_try(by_sizes("experiment", needs.prediction_memory_mb)),
        runtime=by_sizes("experiment", needs.prediction_runtime_minutes),
    params:
        command=of_node_and_input("experiment", wiring.prediction_command),
    message:
        "Export the predictions of {wildcards.experiment}"
    shell:
        "python -m selfpose3d {params.command} --out {output:q} > {log:q} 2>&1"


rule evaluate:
    input:
        unpack(of_node("experiment", wiring.evaluation_inputs)),
    output:
        report(
            "results/experiments/{experiment}/metrics.json",
            category="Experiments",
            labels={"experiment": "{experiment}"},
            caption="../report/experiment.rst",
        ),
    log:
        "results/logs/evaluate/{experiment}.log",
    benchmark:
        "results/benchmarks/evaluate/{experiment}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=more_each_try(needs.people_memory_mb(PARAMETERS)),
        runtime=needs.people_runtime_minutes(PARAMETERS),
    params:
        version=CODE["evaluate"],
        command=of_node_and_input("experiment", wiring.evaluation_command),
    message:
        "Evaluate {wildcards.experiment}"
    shell:
        "python -m selfpose3d {params.command} --predictions {input.predictions:q}"
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
        mem_mb=more_each_try(500),
        runtime=10,
    params:
        description=of_node("experiment", wiring.describe_experiment),
    message:
        "Write down what {wildcards.experiment} is"
    shell:
        "python -m selfpose3d describe {params.description:q} --out {output:q} > {log:q} 2>&1"


rule table:
    input:
        metrics=of_table_runs("metrics.json"),
        descriptions=of_table_runs("experiment.json"),
        published=of_table(
            lambda table: [
                str(REPOSITORY / f"results/reference/{name}.csv")
                for name in table.published
            ]
        ),
    output:
        report(
            "results/tables/{table}.csv",
            category="Tables",
            labels={"table": "{table}"},
            caption="../report/table.rst",
        ),
        multiext("results/tables/{table}", ".md", ".tex"),
    log:
        "results/logs/table/{table}.log",
    benchmark:
        "results/benchmarks/table/{table}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=more_each_try(1000),
        runtime=10,
    params:
        title=of_table(operator.attrgetter("title")),
        options=lambda wildcards: wiring.table_options(
            PARAMETERS, PLAN, wildcards.table
        ),
        published=option("--published", "published"),
    message:
        "Write the table '{params.title}'"
    shell:
        "python -m selfpose3d table --title {params.title:q} {params.options}"
        " {params.published} --out results/tables/{wildcards.table} > {log:q} 2>&1"


rule metrics:
    input:
        wiring.experiment_files(DEFAULT[1].experiments.values(), "metrics.json"),
    output:
        report(
            "results/metrics.json",
            category="Experiments",
            labels={"experiment": "all"},
            caption="../report/metrics.rst",
        ),
    log:
        "results/logs/metrics.log",
    benchmark:
        "results/benchmarks/metrics/metrics.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=more_each_try(500),
        runtime=10,
    params:
        rows=wiring.headline_rows(DEFAULT[1]),
    message:
        "Gather the headline metrics of all experiments"
    shell:
        "python -m selfpose3d metrics {params.rows} --out {output:q} > {log:q} 2>&1"


rule curves:
    input:
        wiring.curve_files(DEFAULT[1].stages),
    output:
        directory("results/curves"),
    log:
        "results/logs/curves.log",
    benchmark:
        "results/benchmarks/curves/curves.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=more_each_try(500),
        runtime=10,
    params:
        stages=wiring.curve_options(DEFAULT[1]),
    message:
        "Gather the training curves of all experiments"
    shell:
        "python -m selfpose3d curves {params.stages} --out {output:q} > {log:q} 2>&1"


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
        mem_mb=more_each_try(1000),
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
        of_node(
            "experiment",
            lambda run: wiring.checkpoints(stage.id for stage in run.stages),
        ),
        of_node(
            "experiment",
            lambda run: wiring.curve_files(stage.id for stage in run.stages),
        ),
        of_node("experiment", wiring.known_benchmarks),
        description="results/experiments/{experiment}/experiment.json",
        predictions="results/experiments/{experiment}/predictions.parquet",
        metrics="results/experiments/{experiment}/metrics.json",
        scene=of_node("experiment", lambda run: wiring.scene_folder(run.scenes[0])),
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
        mem_mb=more_each_try(1000),
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
        of_table_runs("mlflow.json"),
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
        mem_mb=more_each_try(1000),
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
        report(
            "results/report.html",
            category="Report",
            labels={"report": "everything, with pictures"},
            caption="../report/report.rst",
        ),
    log:
        "results/logs/report.log",
    benchmark:
        "results/benchmarks/report/report.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=more_each_try(needs.people_memory_mb(PARAMETERS)),
        runtime=needs.people_runtime_minutes(PARAMETERS),
    params:
        options=lambda wildcards, input: wiring.report_options(*DEFAULT, input),
        dataset=SOURCES[PARAMETERS.data.source].title,
    message:
        "Write {output}"
    shell:
        "python -m selfpose3d report --title 'SelfPose3d' --dataset {params.dataset:q} {params.options}"
        " --benchmarks results/benchmarks --out {output:q} > {log:q} 2>&1"


use rule report as table_report with:
    input:
        unpack(lambda wildcards: wiring.report_inputs(*table_alone(wildcards.table))),
    output:
        report(
            "results/reports/{table}.html",
            category="Report",
            labels={"report": "the table {table} alone"},
            caption="../report/report.rst",
        ),
    log:
        "results/logs/table_report/{table}.log",
    benchmark:
        "results/benchmarks/table_report/{table}.tsv"
    params:
        options=lambda wildcards, input: wiring.report_options(
            *table_alone(wildcards.table), input
        ),
        dataset=SOURCES[PARAMETERS.data.source].title,
