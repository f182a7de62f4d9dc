"""From a source to scenes: studio, CMU Panoptic, own videos, real footage."""


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
        mem_mb=more_each_try(1000),
        runtime=30,
    message:
        "Prepare the studio's body model (once)"
    shell:
        "python -m selfpose3d studio-bake --out {output:q} > {log:q} 2>&1"


rule studio_render:
    input:
        rig=of_node(
            "host", lambda host: str(REPOSITORY / host.parameters["studio"]["rig"])
        ),
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
        mem_mb=more_each_try(1000),
        runtime=needs.rendering_runtime_minutes(PARAMETERS),
    params:
        parameters=parameters_of("host"),
        host=subpath(output[0], parent=True),
    message:
        "Render {wildcards.sequence}"
    shell:
        "python -m selfpose3d studio-render --parameters {params.parameters:q}"
        " --sequence {wildcards.sequence} --rig {input.rig:q} --bodies {input.bodies:q}"
        " --host {params.host:q} > {log:q} 2>&1"


rule prepare:
    input:
        lambda wildcards: wiring.rendered_sequence(
            PLAN.datasets[wildcards.dataset], wildcards.sequence
        ),
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
        parameters=lambda wildcards: PLAN.datasets[wildcards.dataset].parameters_json,
        split=lambda wildcards: wiring.split_of(
            PLAN.datasets[wildcards.dataset], wildcards.sequence
        ),
        url=lambda wildcards: wiring.source_url(
            PLAN.datasets[wildcards.dataset], PARAMETERS.panoptic.url
        ),
    message:
        "Make {wildcards.sequence} a scene"
    shell:
        "python -m selfpose3d prepare --parameters {params.parameters:q} --sequence {wildcards.sequence}"
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
        parameters=lambda wildcards: PLAN.datasets[wildcards.dataset].parameters_json,
    message:
        "Fetch the real footage and make it a scene"
    shell:
        "python -m selfpose3d prepare-footage --parameters {params.parameters:q} --scene {output:q}"
        " --cache data/cache > {log:q} 2>&1"


rule prepare_videos:
    input:
        lambda wildcards: wiring.video_folder(PARAMETERS.videos, wildcards.sequence),
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
        parameters=lambda wildcards: PLAN.datasets[wildcards.dataset].parameters_json,
    message:
        "Make the videos of {wildcards.sequence} a scene"
    shell:
        "python -m selfpose3d prepare-videos --parameters {params.parameters:q}"
        " --sequence {wildcards.sequence} --scene {output:q} > {log:q} 2>&1"


rule downloads:
    input:
        wiring.downloads(DEFAULT[1]),
    message:
        "All that comes from the network is there; no other job needs it"


rule data:
    input:
        wiring.source_scenes(DEFAULT[1]),
    message:
        "All scenes are there"
