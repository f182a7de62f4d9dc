"""From a source to scenes: what the studio renders, and a rule for each of the sources."""

from selfpose3d.sources import SOURCES

# The body model is baked anew with each version of the code that renders with it.
BODIES = f"data/studio/bodies-{CODE['render_studio']}.npz"


rule studio_bake:
    output:
        BODIES,
    log:
        "results/logs/studio_bake.log",
    benchmark:
        "results/benchmarks/studio_bake/bodies.tsv"
    priority: PRIORITY.get(jobs.BODIES_JOB, 0)
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
        bodies=BODIES,
    output:
        directory("data/host/{host}/{sequence}"),
    log:
        "results/logs/studio_render/{host}/{sequence}.log",
    benchmark:
        "results/benchmarks/studio_render/{host}/{sequence}.tsv"
    priority: by_what_follows("studio_render")
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


for source, entry in SOURCES.items():

    rule:
        name:
            f"prepare_{source}"
        input:
            unpack(of_node("scene", wiring.prepare_inputs)),
        output:
            **(
                {"truth": "data/truth/{scene}/{sequence}.parquet"}
                if entry.has_truth
                else {}
            ),
            scene=directory("data/scenes/{scene}/{sequence}"),
        log:
            f"results/logs/prepare_{source}/{{scene}}/{{sequence}}.log",
        benchmark:
            f"results/benchmarks/prepare_{source}/{{scene}}/{{sequence}}.tsv"
        wildcard_constraints:
            scene=f"{source}-[0-9a-f]{{8}}",
        priority: by_what_follows(f"prepare_{source}")
        conda:
            ENVIRONMENT
        threads: 1
        resources:
            mem_mb=more_each_try(2000),
            runtime=720,
        params:
            source=source,
            parameters=parameters_of("scene"),
            options=of_node("scene", wiring.prepare_options),
            truth=lambda wildcards, output: wiring.repeated(
                "--truth", [output.truth] if "truth" in output.keys() else []
            ),
        message:
            "Make {wildcards.sequence} a scene"
        shell:
            "python -m selfpose3d prepare {params.source} --parameters {params.parameters:q}"
            " {params.options} --scene {output.scene:q} {params.truth}"
            " > {log:q} 2>&1"


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
