"""The training stages of all methods: each its own rule, checkpoint, log and curves."""

from selfpose3d.methods import STAGES


wildcard_constraints:
    variant="(backbone|estimator)-[0-9a-f]{8}",


for stage in STAGES.values():

    rule:
        name:
            f"train_{stage.name}"
        input:
            unpack(of_stage(stage.name, wiring.stage_inputs)),
        output:
            checkpoint=f"results/stages/{stage.name}-{{variant}}/checkpoint.pt",
            curves=report(
                f"results/stages/{stage.name}-{{variant}}/curves.csv",
                category="Training",
                labels={"stage": stage.name, "variant": "{variant}"},
                caption="../report/curves.rst",
            ),
        log:
            f"results/logs/train_{stage.name}/{{variant}}.log",
        benchmark:
            f"results/benchmarks/train_{stage.name}/{{variant}}.tsv"
        priority: by_what_follows(f"train_{stage.name}")
        conda:
            ENVIRONMENT
        threads: of_stage(stage.name, operator.attrgetter("threads"))
        resources:
            gpu=of_stage(stage.name, functools.partial(needs.gpus, PARAMETERS)),
            mem_mb=more_each_try(
                of_stage(
                    stage.name, functools.partial(needs.training_memory_mb, PARAMETERS)
                )
            ),
            runtime=of_stage(
                stage.name,
                functools.partial(needs.training_runtime_minutes, PARAMETERS),
            ),
        params:
            stage=stage.name,
            parameters=of_stage(stage.name, operator.attrgetter("parameters_json")),
            options=lambda wildcards, input: wiring.stage_options(input),
            folder=subpath(output.checkpoint, parent=True),
        message:
            stage.title
        shell:
            "python -m selfpose3d train {params.stage} --parameters {params.parameters:q}"
            " {params.options} --labels {input.labels:q}"
            " --out {params.folder:q} > {log:q} 2>&1"


rule trained:
    input:
        wiring.checkpoints(DEFAULT[1].stages),
        wiring.rig_check_files(DEFAULT[1]),
    message:
        "All stages are trained"
