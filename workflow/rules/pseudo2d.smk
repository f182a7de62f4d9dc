"""From scenes to detections, labels and training-free reconstructions."""


def weights_input(wildcards):
    """Only BlazePose has weights to fetch."""
    is_blazepose = wildcards.detections.startswith("blazepose-")
    return ["data/weights/blazepose"] if is_blazepose else []


def detections_dataset(wildcards):
    return PLAN.detections[wildcards.detections].dataset


def labels_dataset(wildcards):
    return PLAN.labels[wildcards.labels].detections.dataset


def detection_files(wildcards):
    detections = PLAN.labels[wildcards.labels].detections
    return [
        f"data/detections/{detections.id}/{sequence}.parquet"
        for sequence in detections.dataset.sequences
    ]


rule fetch_weights:
    output:
        directory("data/weights/{name}"),
    log:
        "results/logs/fetch_weights/{name}.log",
    benchmark:
        "results/benchmarks/fetch_weights/{name}.tsv"
    wildcard_constraints:
        name="blazepose|imagenet",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=1000,
        runtime=60,
    message:
        "Fetch the {wildcards.name} weights"
    shell:
        COMMAND + " fetch-weights {wildcards.name} --out {output:q} > {log:q} 2>&1"


rule detect:
    input:
        weights=weights_input,
        scene=lambda wildcards: f"data/scenes/{detections_dataset(wildcards).id}/{wildcards.sequence}",
    output:
        "data/detections/{detections}/{sequence}.parquet",
    log:
        "results/logs/detect/{detections}/{sequence}.log",
    benchmark:
        "results/benchmarks/detect/{detections}/{sequence}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=1440,
    params:
        parameters=lambda wildcards: inline(PLAN.detections[wildcards.detections]),
    message:
        "Estimate the 2D people of {wildcards.sequence}"
    shell:
        COMMAND + " detect --parameters {params.parameters:q} --scene {input.scene:q}"
        " --weights data/weights/blazepose --workers {threads} --out {output:q} > {log:q} 2>&1"


rule label:
    input:
        detection_files,
    output:
        directory("data/labels/{labels}"),
    log:
        "results/logs/label/{labels}.log",
    benchmark:
        "results/benchmarks/label/{labels}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        parameters=lambda wildcards: inline(PLAN.labels[wildcards.labels]),
        kind=lambda wildcards: PLAN.labels[wildcards.labels].kind,
        detections=lambda wildcards, input: repeated("--detections", input),
    message:
        "Filter detections into {params.kind} labels"
    shell:
        COMMAND + " label --parameters {params.parameters:q} --kind {params.kind}"
        " {params.detections} --out {output:q} > {log:q} 2>&1"


rule reconstruct:
    input:
        labels=lambda wildcards: f"data/labels/{PLAN.reconstructions[wildcards.reconstructions].labels.id}",
        scenes=lambda wildcards: scene_folders(
            PLAN.reconstructions[wildcards.reconstructions].labels.detections.dataset,
            PLAN.reconstructions[
                wildcards.reconstructions
            ].labels.detections.dataset.sequences,
        ),
    output:
        directory("data/reconstructions/{reconstructions}"),
    log:
        "results/logs/reconstruct/{reconstructions}.log",
    benchmark:
        "results/benchmarks/reconstruct/{reconstructions}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=240,
    params:
        parameters=lambda wildcards: inline(
            PLAN.reconstructions[wildcards.reconstructions]
        ),
        scenes=lambda wildcards, input: repeated("--scene", input.scenes),
    message:
        "Reconstruct 3D people from labels without training"
    shell:
        COMMAND + " reconstruct --parameters {params.parameters:q} {params.scenes}"
        " --labels {input.labels:q} --out {output:q} > {log:q} 2>&1"


rule label_quality:
    input:
        labels="data/labels/{labels}",
        scenes=lambda wildcards: scene_folders(
            labels_dataset(wildcards), labels_dataset(wildcards).test
        ),
        truth=lambda wildcards: truth_files(
            labels_dataset(wildcards), labels_dataset(wildcards).test
        ),
    output:
        "results/labels/{labels}.json",
    log:
        "results/logs/label_quality/{labels}.log",
    benchmark:
        "results/benchmarks/label_quality/{labels}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        scenes=lambda wildcards, input: repeated("--scene", input.scenes),
        truth=lambda wildcards: f"data/truth/{labels_dataset(wildcards).id}",
    message:
        "Compare labels with the exact projections of the test sequences"
    shell:
        COMMAND + " label-quality --labels {input.labels:q} --truth {params.truth:q}"
        " {params.scenes} --out {output:q} > {log:q} 2>&1"


rule reprojection:
    input:
        labels=lambda wildcards: f"data/labels/{PLAN.reconstructions[wildcards.reconstructions].labels.id}",
        predictions="data/reconstructions/{reconstructions}",
        scene=lambda wildcards: "data/scenes/{}/{}".format(
            PLAN.reconstructions[
                wildcards.reconstructions
            ].labels.detections.dataset.id,
            wildcards.sequence,
        ),
    output:
        "results/reprojection/{reconstructions}/{sequence}.json",
    log:
        "results/logs/reprojection/{reconstructions}/{sequence}.log",
    benchmark:
        "results/benchmarks/reprojection/{reconstructions}/{sequence}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    message:
        "Report how well the 3D people reproject onto {wildcards.sequence}"
    shell:
        COMMAND + " reprojection --scene {input.scene:q}"
        " --labels {input.labels:q}/{wildcards.sequence}.parquet"
        " --predictions {input.predictions:q}/{wildcards.sequence}.parquet"
        " --out {output:q} > {log:q} 2>&1"


rule labels:
    input:
        [f"data/labels/{labels}" for labels in PLAN.labels],
        [
            f"data/reconstructions/{reconstructions}"
            for reconstructions in PLAN.reconstructions
        ],
    message:
        "All labels are there"
