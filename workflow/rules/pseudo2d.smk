"""From scenes to detections, labels and training-free reconstructions."""

from selfpose3d.plan.own_files import files_of_weights


rule fetch_weights:
    input:
        of_node("weights", files_of_weights),
    output:
        directory("data/weights/{weights}"),
    log:
        "results/logs/fetch_weights/{weights}.log",
    benchmark:
        "results/benchmarks/fetch_weights/{weights}.tsv"
    priority: by_what_follows("fetch_weights")
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=more_each_try(1000),
        runtime=60,
    params:
        parameters=parameters_of("weights"),
        name=of_node("weights", operator.attrgetter("name")),
    message:
        "Fetch the weights of {params.name}"
    shell:
        "python -m selfpose3d fetch-weights {params.name} --parameters {params.parameters:q}"
        " --out {output:q} > {log:q} 2>&1"


rule detect:
    input:
        unpack(of_node("detections", wiring.detect_inputs)),
    output:
        "data/detections/{detections}/{sequence}.parquet",
    log:
        "results/logs/detect/{detections}/{sequence}.log",
    benchmark:
        "results/benchmarks/detect/{detections}/{sequence}.tsv"
    priority: by_what_follows("detect")
    conda:
        ENVIRONMENT
    threads: detection_threads
    resources:
        mem_mb=lambda wildcards, threads, attempt: attempt
        * needs.detection_memory_mb(PLAN.detections[wildcards.detections], threads),
        runtime=lambda wildcards, threads: needs.detection_runtime_minutes(
            PARAMETERS, PLAN.detections[wildcards.detections], threads
        ),
    params:
        parameters=parameters_of("detections"),
        weights=option("--weights", "weights"),
    message:
        "Estimate the 2D people of {wildcards.sequence}"
    shell:
        "python -m selfpose3d detect --parameters {params.parameters:q} --scene {input.scene:q}"
        " {params.weights} --workers {threads} --out {output:q} > {log:q} 2>&1"


rule check_rig:
    input:
        unpack(of_node("rig_check", wiring.rig_check_inputs)),
    output:
        json="results/rig/{rig_check}/{sequence}/rig.json",
        drawing=report(
            "results/rig/{rig_check}/{sequence}/rig.png",
            category="Rig",
            labels={"sequence": "{sequence}", "id": "{rig_check}"},
            caption="../report/rig.rst",
        ),
    log:
        "results/logs/check_rig/{rig_check}/{sequence}.log",
    benchmark:
        "results/benchmarks/check_rig/{rig_check}/{sequence}.tsv"
    priority: by_what_follows("check_rig")
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=more_each_try(needs.people_memory_mb(PARAMETERS)),
        runtime=needs.people_runtime_minutes(PARAMETERS),
    params:
        options=of_node("rig_check", wiring.rig_check_options),
        folder=subpath(output.json, parent=True),
    message:
        "Check whether the cameras of {wildcards.sequence} fit its 2D people"
    shell:
        "python -m selfpose3d check-rig {input.scene:q} --people {input.people:q} {params.options}"
        " --out {params.folder:q} > {log:q} 2>&1"


rule rig_checked:
    input:
        of_node("detections", functools.partial(wiring.rig_check_of, PLAN)),
    output:
        "results/rig/checked/{detections}/{sequence}",
    log:
        "results/logs/rig_checked/{detections}/{sequence}.log",
    benchmark:
        "results/benchmarks/rig_checked/{detections}/{sequence}.tsv"
    localrule: True
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=100,
        runtime=1,
    message:
        "The rig of {wildcards.sequence} is checked"
    shell:
        "touch {output:q} > {log:q} 2>&1"


rule label:
    input:
        detections=of_node("labels", wiring.detection_files),
        checked=of_node("labels", functools.partial(wiring.checked_files, PLAN)),
    output:
        directory("data/labels/{labels}"),
    log:
        "results/logs/label/{labels}.log",
    benchmark:
        "results/benchmarks/label/{labels}.tsv"
    wildcard_constraints:
        labels="(soft|hard)-[0-9a-f]{8}",
    priority: by_what_follows("label")
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=more_each_try(needs.people_memory_mb(PARAMETERS)),
        runtime=needs.people_runtime_minutes(PARAMETERS),
    params:
        parameters=parameters_of("labels"),
        kind=of_node("labels", operator.attrgetter("kind")),
        detections=option("--detections", "detections"),
    message:
        "Filter detections into {params.kind} labels"
    shell:
        "python -m selfpose3d label --parameters {params.parameters:q} --kind {params.kind}"
        " {params.detections} --out {output:q} > {log:q} 2>&1"


rule reconstruct:
    input:
        unpack(of_node("reconstructions", wiring.reconstruction_inputs)),
    output:
        directory("data/reconstructions/{reconstructions}"),
    log:
        "results/logs/reconstruct/{reconstructions}.log",
    benchmark:
        "results/benchmarks/reconstruct/{reconstructions}.tsv"
    priority: by_what_follows("reconstruct")
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=more_each_try(needs.people_memory_mb(PARAMETERS)),
        runtime=needs.people_runtime_minutes(PARAMETERS),
    params:
        parameters=parameters_of("reconstructions"),
        scenes=option("--scene", "scenes"),
    message:
        "Reconstruct 3D people from labels without training"
    shell:
        "python -m selfpose3d reconstruct-scenes --parameters {params.parameters:q} {params.scenes}"
        " --labels {input.labels:q} --out {output:q} > {log:q} 2>&1"


rule agree:
    input:
        unpack(of_node("labels", wiring.consensus_inputs)),
    output:
        directory("data/labels/{labels}"),
    log:
        "results/logs/agree/{labels}.log",
    benchmark:
        "results/benchmarks/agree/{labels}.tsv"
    wildcard_constraints:
        labels="consensus-[0-9a-f]{8}",
    priority: by_what_follows("agree")
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=more_each_try(needs.people_memory_mb(PARAMETERS)),
        runtime=needs.people_runtime_minutes(PARAMETERS),
    params:
        parameters=parameters_of("labels"),
        scenes=option("--scene", "scenes"),
    message:
        "Make labels of what all views agree on"
    shell:
        "python -m selfpose3d agree --parameters {params.parameters:q} {params.scenes}"
        " --labels {input.labels:q} --people {input.people:q} --out {output:q} > {log:q} 2>&1"


rule label_quality:
    input:
        unpack(of_node("labels", wiring.quality_inputs)),
    output:
        report(
            "results/labels/{labels}.json",
            category="Pseudo labels",
            labels={"of": "labels", "id": "{labels}"},
            caption="../report/label_quality.rst",
        ),
    log:
        "results/logs/label_quality/{labels}.log",
    benchmark:
        "results/benchmarks/label_quality/{labels}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=more_each_try(needs.people_memory_mb(PARAMETERS)),
        runtime=needs.people_runtime_minutes(PARAMETERS),
    params:
        version=CODE["label_quality"],
        scenes=option("--scene", "scenes"),
        truth=option("--truth", "truth"),
    message:
        "Compare labels with the exact projections of the test sequences"
    shell:
        "python -m selfpose3d label-quality --labels {input.labels:q} {params.truth}"
        " {params.scenes} --out {output:q} > {log:q} 2>&1"


rule heatmap_quality:
    input:
        unpack(
            of_node(
                "backbone", lambda stage: wiring.heatmap_quality_inputs(stage, PLAN)
            )
        ),
    output:
        report(
            "results/labels/{backbone}.json",
            category="Pseudo labels",
            labels={"of": "learnt heatmaps", "id": "{backbone}"},
            caption="../report/heatmap_quality.rst",
        ),
    log:
        "results/logs/heatmap_quality/{backbone}.log",
    benchmark:
        "results/benchmarks/heatmap_quality/{backbone}.tsv"
    wildcard_constraints:
        backbone="backbone-backbone-[0-9a-f]{8}",
    conda:
        ENVIRONMENT
    threads: of_node("backbone", operator.attrgetter("threads"))
    resources:
        gpu=by_sizes("backbone", needs.heatmaps_gpus),
        mem_mb=more_each_try(by_sizes("backbone", needs.heatmaps_memory_mb)),
        runtime=by_sizes("backbone", needs.heatmaps_runtime_minutes),
    params:
        version=CODE["heatmap_quality"],
        parameters=parameters_of("backbone"),
        scenes=option("--scene", "scenes"),
        truth=option("--truth", "truth"),
    message:
        "Compare the learnt heatmaps with the exact projections of the test sequences"
    shell:
        "python -m selfpose3d heatmap-quality --parameters {params.parameters:q}"
        " --checkpoint {input.checkpoint:q} --labels {input.labels:q} {params.truth}"
        " {params.scenes} --out {output:q} > {log:q} 2>&1"


rule reprojection:
    input:
        unpack(of_sequence("reconstructions", wiring.reconstructed_inputs)),
    output:
        report(
            "results/reprojection/{reconstructions}/{sequence}.json",
            category="Footage",
            labels={"sequence": "{sequence}", "people": "{reconstructions}"},
            caption="../report/reprojection.rst",
        ),
    log:
        "results/logs/reprojection/{reconstructions}/{sequence}.log",
    benchmark:
        "results/benchmarks/reprojection/{reconstructions}/{sequence}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=more_each_try(needs.people_memory_mb(PARAMETERS)),
        runtime=needs.people_runtime_minutes(PARAMETERS),
    params:
        version=CODE["reprojection"],
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
            of_sequence(
                "scene",
                lambda scene, sequence: wiring.reconstructed_inputs(
                    scene.refined_from, sequence
                ),
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
    priority: by_what_follows("refine_cameras")
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=more_each_try(needs.people_memory_mb(PARAMETERS)),
        runtime=needs.people_runtime_minutes(PARAMETERS),
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
        wiring.rig_check_files(DEFAULT[1]),
    message:
        "All labels are there"
