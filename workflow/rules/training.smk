"""The training stages of all methods: each its own rule, checkpoint, log and curves."""

from selfpose3d.methods import STAGES


wildcard_constraints:
    variant="(backbone|estimator)-[0-9a-f]{8}",


for stage in STAGES.values():

    rule:
        name:
            f"train_{stage.name}"
        input:
            unpack(
                lambda wildcards, stage=stage: wiring.stage_inputs(
                    PLAN.stages[f"{stage.name}-{wildcards.variant}"]
                )
            ),
        output:
            "results/stages/" + stage.name + "-{variant}/checkpoint.pt",
        log:
            "results/logs/train_" + stage.name + "/{variant}.log",
        benchmark:
            "results/benchmarks/train_" + stage.name + "/{variant}.tsv"
        priority: 100 if stage.name == "backbone" else 50
        conda:
            ENVIRONMENT
        threads: lambda wildcards, stage=stage: PLAN.stages[f"{stage.name}-{wildcards.variant}"].threads
        resources:
            gpu=1,
            mem_mb=6000,
            runtime=2880,
        params:
            stage=stage.name,
            parameters=lambda wildcards, stage=stage: PLAN.stages[
                f"{stage.name}-{wildcards.variant}"
            ].parameters_json,
            options=lambda wildcards, input: wiring.stage_options(input),
        message:
            stage.title
        shell:
            "python -m selfpose3d train {params.stage} --parameters {params.parameters:q}"
            " --also {ALSO:q} {params.options} --labels {input.labels:q}"
            " --out $(dirname {output:q}) > {log:q} 2>&1"


rule trained:
    input:
        wiring.checkpoints(DEFAULT[1].stages),
    message:
        "All stages are trained"
