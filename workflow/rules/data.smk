"""From a source to scenes: studio, CMU Panoptic, own videos, real footage."""


def dataset_of(wildcards):
    return PLAN.datasets[wildcards.dataset]


def split_of(wildcards):
    return "train" if wildcards.sequence in dataset_of(wildcards).train else "test"


def source_input(wildcards):
    """The studio's sequences are rendered first; the others are fetched from where they are."""
    host = dataset_of(wildcards).host
    return [f"data/host/{host.id}/{wildcards.sequence}"] if host else []


def source_url(wildcards):
    host = dataset_of(wildcards).host
    return (
        Path(f"data/host/{host.id}").resolve().as_uri()
        if host
        else PARAMETERS.panoptic.url
    )


rule studio_bake:
    output:
        "data/studio/bodies.npz",
    log:
        "results/logs/studio_bake.log",
    benchmark:
        "results/benchmarks/studio_bake/bodies.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=3000,
        runtime=30,
    message:
        "Prepare the studio's body model (once)"
    shell:
        COMMAND + " studio-bake --out {output:q} > {log:q} 2>&1"


rule studio_render:
    input:
        rig=rig_file(),
        bodies="data/studio/bodies.npz",
    output:
        directory("data/host/{host}/{sequence}"),
    log:
        "results/logs/studio_render/{host}/{sequence}.log",
    benchmark:
        "results/benchmarks/studio_render/{host}/{sequence}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        parameters=lambda wildcards: inline(PLAN.hosts[wildcards.host]),
        host=lambda wildcards: f"data/host/{wildcards.host}",
    message:
        "Render {wildcards.sequence}"
    shell:
        COMMAND + " studio-render --parameters {params.parameters:q}"
        " --sequence {wildcards.sequence} --rig {input.rig:q} --bodies {input.bodies:q}"
        " --host {params.host:q} > {log:q} 2>&1"


rule prepare:
    input:
        source_input,
    output:
        scene=directory("data/scenes/{dataset}/{sequence}"),
        truth="data/truth/{dataset}/{sequence}.parquet",
    log:
        "results/logs/prepare/{dataset}/{sequence}.log",
    benchmark:
        "results/benchmarks/prepare/{dataset}/{sequence}.tsv"
    wildcard_constraints:
        dataset="(studio|panoptic)-[0-9a-f]{8}",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=720,
    params:
        parameters=lambda wildcards: inline(dataset_of(wildcards)),
        split=split_of,
        url=source_url,
    message:
        "Make {wildcards.sequence} a scene"
    shell:
        COMMAND
        + " prepare --parameters {params.parameters:q} --sequence {wildcards.sequence}"
        " --split {params.split} --url {params.url:q} --scene {output.scene:q}"
        " --truth {output.truth:q} > {log:q} 2>&1"


rule prepare_footage:
    output:
        directory("data/scenes/{dataset}/pose2sim_demo"),
    log:
        "results/logs/prepare_footage/{dataset}.log",
    benchmark:
        "results/benchmarks/prepare_footage/{dataset}.tsv"
    wildcard_constraints:
        dataset="pose2sim_demo-[0-9a-f]{8}",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        parameters=lambda wildcards: inline(dataset_of(wildcards)),
    message:
        "Fetch the real footage and make it a scene"
    shell:
        COMMAND
        + " prepare-footage --parameters {params.parameters:q} --scene {output:q}"
        " --cache data/cache > {log:q} 2>&1"


def refined_from(wildcards):
    """The scene, labels and people that a scene's cameras are refitted with."""
    people = PLAN.reconstructions[dataset_of(wildcards).refined_from]
    detections = people.labels.detections
    return {
        "scene": f"data/scenes/{detections.dataset.id}/{wildcards.sequence}",
        "labels": f"data/labels/{people.labels.id}",
        "people": f"data/reconstructions/{people.id}",
    }


rule refine_cameras:
    input:
        unpack(refined_from),
    output:
        directory("data/scenes/{dataset}/{sequence}"),
    log:
        "results/logs/refine_cameras/{dataset}/{sequence}.log",
    benchmark:
        "results/benchmarks/refine_cameras/{dataset}/{sequence}.tsv"
    wildcard_constraints:
        dataset="pose2sim_demo_refined-[0-9a-f]{8}",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    message:
        "Refit the principal points of {wildcards.sequence}"
    shell:
        COMMAND + " refine-cameras --scene {input.scene:q}"
        " --labels {input.labels:q}/{wildcards.sequence}.parquet"
        " --people {input.people:q}/{wildcards.sequence}.parquet --out {output:q} > {log:q} 2>&1"


rule prepare_videos:
    output:
        directory("data/scenes/{dataset}/{sequence}"),
    log:
        "results/logs/prepare_videos/{dataset}/{sequence}.log",
    benchmark:
        "results/benchmarks/prepare_videos/{dataset}/{sequence}.tsv"
    wildcard_constraints:
        dataset="videos-[0-9a-f]{8}",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=240,
    params:
        parameters=lambda wildcards: inline(dataset_of(wildcards)),
    message:
        "Make the videos of {wildcards.sequence} a scene"
    shell:
        COMMAND + " prepare-videos --parameters {params.parameters:q}"
        " --sequence {wildcards.sequence} --scene {output:q} > {log:q} 2>&1"


rule data:
    input:
        [
            path
            for dataset in PLAN.datasets.values()
            for path in scene_folders(dataset, dataset.sequences)
        ],
    message:
        "All scenes are there"
