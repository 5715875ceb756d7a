# What a person would rather see than read.
rule draw_figure:
    input:
        unpack(get_drawn),
        world=DRAWN_WORLD,
        code=get_code("draw_figure"),
    output:
        pdf=f"{FIGURES}/{{figure}}.pdf",
        png=report(
            f"{FIGURES}/{{figure}}.png",
            caption="../report/draw_figure.rst",
            category="Figures",
            labels=get_title,
        ),
    log:
        f"{OUT}/logs/draw_figure/{{figure}}.log",
    benchmark:
        f"{OUT}/timings/jobs/draw_figure/{{figure}}.tsv"
    wildcard_constraints:
        figure=get_names(DRAWN),
    conda:
        ENVIRONMENT
    params:
        drawing=get_drawing,
        world=MICRO_WORLD,
    shell:
        "python -m samr1.cli.draw_figure {params.drawing} {params.world} "
        "--output {output.pdf} {output.png} 2> {log}"


# The report holds the pictures and not the gallery: browsers open no page of more than 2 MB in another.
rule draw_gallery:
    input:
        kinds=f"{WORKFLOW.config_dir}/kinds.yaml",
        samples=get_samples(EXPERIMENT.main_benchmarks),
        objects=get_objects(EXPERIMENT.main_benchmarks),
        predictions=get_evaluated("predictions", jobs.evaluate_gallery(EXPERIMENT)),
        world=DRAWN_WORLD,
        code=get_code("draw_gallery"),
    output:
        f"{FIGURES}/gallery.html",
    log:
        f"{OUT}/logs/draw_gallery.log",
    benchmark:
        f"{OUT}/timings/jobs/draw_gallery.tsv"
    conda:
        ENVIRONMENT
    params:
        root=get_root,
        world=MICRO_WORLD,
        scale=WORKFLOW.scale,
        seed=get_world_seed,
    shell:
        "python -m samr1.cli.draw_gallery --samples {input.samples} --objects {input.objects} "
        "--predictions {input.predictions} --root {params.root} --scale {params.scale} "
        "--kinds {input.kinds} {params.seed} {params.world} --output {output} 2> {log}"
