# What a person would rather see than read.
rule draw_figure:
    input:
        unpack(get_drawn),
        world=get_figure_world,
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
        figure=get_names(DRAWN | DRAWN_OWN),
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
        unpack(get_gallery),
        code=get_code("draw_gallery"),
    output:
        f"{FIGURES}/{{gallery}}.html",
    log:
        f"{OUT}/logs/draw_gallery/{{gallery}}.log",
    benchmark:
        f"{OUT}/timings/jobs/draw_gallery/{{gallery}}.tsv"
    wildcard_constraints:
        gallery=rf"gallery(-(?:{get_names(OWN_RUNS)}))?",
    conda:
        ENVIRONMENT
    params:
        options=get_gallery_options,
        world=MICRO_WORLD,
        scale=WORKFLOW.scale,
    shell:
        "python -m samr1.cli.draw_gallery --samples {input.samples} --objects {input.objects} "
        "--predictions {input.predictions} {params.options} --scale {params.scale} "
        "{params.world} --output {output} 2> {log}"
