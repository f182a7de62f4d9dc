"""From scenes to detections, labels and training-free reconstructions."""


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
        "python -m selfpose3d fetch-weights {wildcards.name} --out {output:q} > {log:q} 2>&1"


rule detect:
    input:
        unpack(
            lambda wildcards: wiring.detect_inputs(
                PLAN.detections[wildcards.detections]
            )
        ),
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
        parameters=lambda wildcards: PLAN.detections[
            wildcards.detections
        ].parameters_json,
    message:
        "Estimate the 2D people of {wildcards.sequence}"
    shell:
        "python -m selfpose3d detect --parameters {params.parameters:q} --scene {input.scene:q}"
        " --weights data/weights/blazepose --workers {threads} --out {output:q} > {log:q} 2>&1"


rule label:
    input:
        lambda wildcards: wiring.detection_files(PLAN.labels[wildcards.labels]),
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
        parameters=lambda wildcards: PLAN.labels[wildcards.labels].parameters_json,
        kind=lambda wildcards: PLAN.labels[wildcards.labels].kind,
        detections=lambda wildcards, input: wiring.repeated("--detections", input),
    message:
        "Filter detections into {params.kind} labels"
    shell:
        "python -m selfpose3d label --parameters {params.parameters:q} --kind {params.kind}"
        " {params.detections} --out {output:q} > {log:q} 2>&1"


rule reconstruct:
    input:
        unpack(
            lambda wildcards: wiring.reconstruction_inputs(
                PLAN.reconstructions[wildcards.reconstructions]
            )
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
        parameters=lambda wildcards: PLAN.reconstructions[
            wildcards.reconstructions
        ].parameters_json,
        scenes=lambda wildcards, input: wiring.repeated("--scene", input.scenes),
    message:
        "Reconstruct 3D people from labels without training"
    shell:
        "python -m selfpose3d reconstruct --parameters {params.parameters:q} {params.scenes}"
        " --labels {input.labels:q} --out {output:q} > {log:q} 2>&1"


rule label_quality:
    input:
        unpack(lambda wildcards: wiring.quality_inputs(PLAN.labels[wildcards.labels])),
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
        scenes=lambda wildcards, input: wiring.repeated("--scene", input.scenes),
        truth=lambda wildcards, input: wiring.repeated("--truth", input.truth),
    message:
        "Compare labels with the exact projections of the test sequences"
    shell:
        "python -m selfpose3d label-quality --labels {input.labels:q} {params.truth}"
        " {params.scenes} --out {output:q} > {log:q} 2>&1"


rule heatmap_quality:
    input:
        unpack(
            lambda wildcards: wiring.heatmap_quality_inputs(
                PLAN.stages[wildcards.backbone], PLAN
            )
        ),
    output:
        "results/labels/{backbone}.json",
    log:
        "results/logs/heatmap_quality/{backbone}.log",
    benchmark:
        "results/benchmarks/heatmap_quality/{backbone}.tsv"
    wildcard_constraints:
        backbone="backbone-backbone-[0-9a-f]{8}",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        parameters=lambda wildcards: PLAN.stages[wildcards.backbone].parameters_json,
        scenes=lambda wildcards, input: wiring.repeated("--scene", input.scenes),
        truth=lambda wildcards, input: wiring.repeated("--truth", input.truth),
    message:
        "Compare the learnt heatmaps with the exact projections of the test sequences"
    shell:
        "python -m selfpose3d heatmap-quality --parameters {params.parameters:q}"
        " --checkpoint {input.checkpoint:q} --labels {input.labels:q} {params.truth}"
        " {params.scenes} --out {output:q} > {log:q} 2>&1"


rule reprojection:
    input:
        unpack(
            lambda wildcards: wiring.reconstructed_inputs(
                PLAN.reconstructions[wildcards.reconstructions], wildcards.sequence
            )
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
        "python -m selfpose3d reprojection --scene {input.scene:q}"
        " --labels {input.labels:q}/{wildcards.sequence}.parquet"
        " --predictions {input.people:q}/{wildcards.sequence}.parquet"
        " --out {output:q} > {log:q} 2>&1"


rule refine_cameras:
    input:
        unpack(
            lambda wildcards: wiring.reconstructed_inputs(
                PLAN.scenes[wildcards.scene].refined_from,
                wildcards.sequence,
            )
        ),
    output:
        directory("data/refined/{scene}/{sequence}"),
    log:
        "results/logs/refine_cameras/{scene}/{sequence}.log",
    benchmark:
        "results/benchmarks/refine_cameras/{scene}/{sequence}.tsv"
    wildcard_constraints:
        scene="[a-z0-9_]+_refined-[0-9a-f]{8}",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    message:
        "Refit the principal points of {wildcards.sequence}"
    shell:
        "python -m selfpose3d refine-cameras --scene {input.scene:q}"
        " --labels {input.labels:q}/{wildcards.sequence}.parquet"
        " --people {input.people:q}/{wildcards.sequence}.parquet --out {output:q} > {log:q} 2>&1"


rule labels:
    input:
        [wiring.labels_folder(labels) for labels in DEFAULT[1].labels.values()],
        [wiring.people_folder(people) for people in DEFAULT[1].reconstructions.values()],
    message:
        "All labels are there"
