"""The training stages: each its own rule, checkpoint, log and curves."""


wildcard_constraints:
    stage="[a-z0-9_]+",
    variant="(backbone|estimator)-[0-9a-f]{8}",


rule train_backbone:
    input:
        unpack(
            lambda wildcards: wiring.stage_inputs(
                PLAN.stages[f"{wildcards.stage}-{wildcards.variant}"]
            )
        ),
    output:
        "results/stages/{stage}-{variant}/checkpoint.pt",
    log:
        "results/logs/train_{stage}/{variant}.log",
    benchmark:
        "results/benchmarks/train_{stage}/{variant}.tsv"
    wildcard_constraints:
        stage="backbone",
    priority: 100
    conda:
        ENVIRONMENT
    threads: lambda wildcards: PLAN.stages[f"{wildcards.stage}-{wildcards.variant}"].threads
    resources:
        gpu=1,
        mem_mb=6000,
        runtime=2880,
    params:
        parameters=lambda wildcards: PLAN.stages[
            f"{wildcards.stage}-{wildcards.variant}"
        ].parameters_json,
        options=lambda wildcards, input: wiring.stage_options(input),
    message:
        "Train heatmap_net_2d on the pseudo labels"
    shell:
        "python -m selfpose3d train {wildcards.stage} --parameters {params.parameters:q}"
        " {params.options} --labels {input.labels:q} --out $(dirname {output:q})"
        " > {log:q} 2>&1"


use rule train_backbone as train_root with:
    wildcard_constraints:
        stage="root",
    priority: 50
    message:
        "Train root_net on synthetic roots and root consistency"


use rule train_backbone as train_bodies with:
    wildcard_constraints:
        stage="bodies",
    priority: 50
    message:
        "Train pose_net on synthetic bodies"


use rule train_backbone as train_pose_l2 with:
    wildcard_constraints:
        stage="pose_l2",
    priority: 50
    message:
        "Train pose_net by projection, heatmap loss"


use rule train_backbone as train_pose_l1 with:
    wildcard_constraints:
        stage="pose_l1",
    priority: 50
    message:
        "Train pose_net by projection, heatmap and joint loss"


use rule train_backbone as train_finetune with:
    wildcard_constraints:
        stage="finetune",
    priority: 50
    message:
        "Finetune pose_net on hard labels"


use rule train_backbone as train_supervised_root with:
    wildcard_constraints:
        stage="supervised_root",
    priority: 50
    message:
        "VoxelPose: train root_net on true roots"


use rule train_backbone as train_supervised_pose with:
    wildcard_constraints:
        stage="supervised_pose",
    priority: 50
    message:
        "VoxelPose: train pose_net on true people"


use rule train_backbone as train_trust with:
    wildcard_constraints:
        stage="trust",
    priority: 50
    message:
        "Train trust_net on synthetic people"


rule trained:
    input:
        wiring.checkpoints(DEFAULT[1].stages),
    message:
        "All stages are trained"
