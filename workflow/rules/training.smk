"""The training stages: each its own rule, checkpoint, log and curves."""


def stage_inputs(stage):
    """Scenes, labels and earlier checkpoints of a stage, by its id; never the truth."""

    def inputs(wildcards):
        node = PLAN.stages[f"{stage}-{wildcards.variant}"]
        dataset = node.labels.detections.dataset
        given = {
            "scenes": scene_folders(dataset, dataset.train),
            "labels": f"data/labels/{node.labels.id}",
            "start": [
                f"results/stages/{earlier}/checkpoint.pt" for earlier in node.start
            ],
        }
        if node.reconstructions:
            given["reconstructions"] = f"data/reconstructions/{node.reconstructions.id}"
        if (
            stage == "backbone"
            and node.parameters["train"]["backbone"]["weights"] == "imagenet"
        ):
            given["weights"] = "data/weights/imagenet"
        return given

    return inputs


def stage_options(wildcards, input):
    """The command's options for what the stage has been given."""
    options = [repeated("--scene", input.scenes), repeated("--start", input.start)]
    for name in ("reconstructions", "weights"):
        if name in input.keys():
            options.append(f"--{name} {input[name]}")
    return " ".join(options)


def stage_parameters(stage):
    return lambda wildcards: inline(PLAN.stages[f"{stage}-{wildcards.variant}"])


def stage_threads(stage):
    return lambda wildcards: PLAN.stages[f"{stage}-{wildcards.variant}"].threads


TRAIN = (
    " --parameters {params.parameters:q} {params.options} --labels {input.labels:q}"
    " --out $(dirname {output:q}) > {log:q} 2>&1"
)


wildcard_constraints:
    variant="(backbone|estimator)-[0-9a-f]{8}",


rule train_backbone:
    input:
        unpack(stage_inputs("backbone")),
    output:
        "results/stages/backbone-{variant}/checkpoint.pt",
    log:
        "results/logs/train_backbone/{variant}.log",
    benchmark:
        "results/benchmarks/train_backbone/{variant}.tsv"
    priority: 100
    conda:
        ENVIRONMENT
    threads: stage_threads("backbone")
    resources:
        gpu=1,
        mem_mb=6000,
        runtime=2880,
    params:
        parameters=stage_parameters("backbone"),
        options=stage_options,
        stage="backbone",
    message:
        "Train heatmap_net_2d on the pseudo labels"
    shell:
        COMMAND + " train {params.stage}" + TRAIN


use rule train_backbone as train_root with:
    input:
        unpack(stage_inputs("root")),
    output:
        "results/stages/root-{variant}/checkpoint.pt",
    log:
        "results/logs/train_root/{variant}.log",
    benchmark:
        "results/benchmarks/train_root/{variant}.tsv"
    priority: 50
    threads: stage_threads("root")
    params:
        parameters=stage_parameters("root"),
        options=stage_options,
        stage="root",
    message:
        "Train root_net on synthetic roots and root consistency"


use rule train_backbone as train_bodies with:
    input:
        unpack(stage_inputs("bodies")),
    output:
        "results/stages/bodies-{variant}/checkpoint.pt",
    log:
        "results/logs/train_bodies/{variant}.log",
    benchmark:
        "results/benchmarks/train_bodies/{variant}.tsv"
    priority: 50
    threads: stage_threads("bodies")
    params:
        parameters=stage_parameters("bodies"),
        options=stage_options,
        stage="bodies",
    message:
        "Train pose_net on synthetic bodies"


use rule train_backbone as train_pose_l2 with:
    input:
        unpack(stage_inputs("pose_l2")),
    output:
        "results/stages/pose_l2-{variant}/checkpoint.pt",
    log:
        "results/logs/train_pose_l2/{variant}.log",
    benchmark:
        "results/benchmarks/train_pose_l2/{variant}.tsv"
    priority: 50
    threads: stage_threads("pose_l2")
    params:
        parameters=stage_parameters("pose_l2"),
        options=stage_options,
        stage="pose_l2",
    message:
        "Train pose_net by projection, heatmap loss"


use rule train_backbone as train_pose_l1 with:
    input:
        unpack(stage_inputs("pose_l1")),
    output:
        "results/stages/pose_l1-{variant}/checkpoint.pt",
    log:
        "results/logs/train_pose_l1/{variant}.log",
    benchmark:
        "results/benchmarks/train_pose_l1/{variant}.tsv"
    priority: 50
    threads: stage_threads("pose_l1")
    params:
        parameters=stage_parameters("pose_l1"),
        options=stage_options,
        stage="pose_l1",
    message:
        "Train pose_net by projection, heatmap and joint loss"


use rule train_backbone as train_finetune with:
    input:
        unpack(stage_inputs("finetune")),
    output:
        "results/stages/finetune-{variant}/checkpoint.pt",
    log:
        "results/logs/train_finetune/{variant}.log",
    benchmark:
        "results/benchmarks/train_finetune/{variant}.tsv"
    priority: 50
    threads: stage_threads("finetune")
    params:
        parameters=stage_parameters("finetune"),
        options=stage_options,
        stage="finetune",
    message:
        "Finetune pose_net on hard labels"


rule trained:
    input:
        [f"results/stages/{stage}/checkpoint.pt" for stage in PLAN.stages],
    message:
        "All stages are trained"
