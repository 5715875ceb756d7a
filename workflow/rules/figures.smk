# What a person would rather see than read.


rule draw_examples:
    input:
        samples=get_samples(SHOWN.examples.benchmarks),
        predictions=get_evaluated("predictions", get_examples()),
        world=DRAWN_WORLD,
        code=get_code("draw_examples"),
    output:
        report(
            f"{FIGURES}/examples.png",
            caption="../report/figure_3.rst",
            category="Examples",
            labels={"picture": "Questions before and after training"},
        ),
    log:
        f"{OUT}/logs/draw_examples.log",
    benchmark:
        f"{OUT}/timings/jobs/draw_examples.tsv"
    conda:
        ENVIRONMENT
    params:
        root=get_root,
        runs=SHOWN.examples.runs,
    shell:
        "python -m samr1.cli.draw_examples --samples {input.samples} "
        "--predictions {input.predictions} --runs {params.runs} "
        "--root {params.root} --output {output} 2> {log}"


rule figure_4:
    input:
        training=get_trainings(SHOWN.figure_4.kl),
        samples=get_samples(SHOWN.figure_4.benchmarks),
        any=get_shown(SHOWN.figure_4, [SHOWN.figure_4.any]),
        inside=get_shown(SHOWN.figure_4, [SHOWN.figure_4.inside]),
        code=get_code("figure_4"),
    output:
        pdf=f"{FIGURES}/figure_4.pdf",
        png=get_picture(
            "figure_4", "figure_4", "Figure 4: KL term and negative points", "bright"
        ),
        dark=get_picture(
            "figure_4", "figure_4", "Figure 4: KL term and negative points", "dark"
        ),
    log:
        f"{OUT}/logs/figure_4.log",
    benchmark:
        f"{OUT}/timings/jobs/figure_4.tsv"
    conda:
        ENVIRONMENT
    params:
        world=MICRO_WORLD,
    shell:
        "python -m samr1.cli.figure_4 --training {input.training} --samples {input.samples} "
        "--any {input.any} --inside {input.inside} "
        "{params.world} --output-pdf {output.pdf} --output-png {output.png} "
        "--output-png-dark {output.dark} 2> {log}"


rule draw_curves:
    input:
        training=get_curves,
        code=get_code("draw_curves"),
    output:
        pdf=f"{FIGURES}/curves_{{curves}}.pdf",
        png=get_picture(
            "draw_curves", "curves_{curves}", "Training curves: {curves}", "bright"
        ),
        dark=get_picture(
            "draw_curves", "curves_{curves}", "Training curves: {curves}", "dark"
        ),
    log:
        f"{OUT}/logs/draw_curves/{{curves}}.log",
    benchmark:
        f"{OUT}/timings/jobs/draw_curves/{{curves}}.tsv"
    conda:
        ENVIRONMENT
    params:
        world=MICRO_WORLD,
    shell:
        "python -m samr1.cli.draw_curves --training {input.training} "
        "{params.world} --output-pdf {output.pdf} --output-png {output.png} "
        "--output-png-dark {output.dark} 2> {log}"


rule draw_ablations:
    input:
        tables=expand(
            f"{OUT}/config/table/{{table}}.yaml", table=EXPERIMENT.published.ablations
        ),
        metrics=[
            path
            for name in EXPERIMENT.published.ablations
            for path in get_shown_metrics(name)
        ],
        code=get_code("draw_ablations"),
    output:
        pdf=f"{FIGURES}/ablations.pdf",
        png=get_picture(
            "draw_ablations", "ablations", "Ablations: Tables 4 and 5", "bright"
        ),
        dark=get_picture(
            "draw_ablations", "ablations", "Ablations: Tables 4 and 5", "dark"
        ),
    log:
        f"{OUT}/logs/draw_ablations.log",
    benchmark:
        f"{OUT}/timings/jobs/draw_ablations.tsv"
    conda:
        ENVIRONMENT
    params:
        world=MICRO_WORLD,
    shell:
        "python -m samr1.cli.draw_ablations --metrics {input.metrics} "
        "--tables {input.tables} "
        "{params.world} --output-pdf {output.pdf} --output-png {output.png} "
        "--output-png-dark {output.dark} 2> {log}"


rule draw_histograms:
    input:
        samples=get_samples(SHOWN.histograms.benchmarks),
        predictions=get_shown(SHOWN.histograms, SHOWN.histograms.runs),
        code=get_code("draw_histograms"),
    output:
        pdf=f"{FIGURES}/histograms.pdf",
        png=get_picture(
            "draw_histograms",
            "histograms",
            "IoU against the tiers of the reward",
            "bright",
        ),
        dark=get_picture(
            "draw_histograms",
            "histograms",
            "IoU against the tiers of the reward",
            "dark",
        ),
    log:
        f"{OUT}/logs/draw_histograms.log",
    benchmark:
        f"{OUT}/timings/jobs/draw_histograms.tsv"
    conda:
        ENVIRONMENT
    params:
        world=MICRO_WORLD,
        titles=get_titles(SHOWN.histograms.benchmarks),
    shell:
        "python -m samr1.cli.draw_histograms --samples {input.samples} "
        "--titles {params.titles:q} --predictions {input.predictions} "
        "{params.world} --output-pdf {output.pdf} --output-png {output.png} "
        "--output-png-dark {output.dark} 2> {log}"


rule draw_lengths:
    input:
        training=get_trainings([run for runs in CURVES.values() for run in runs]),
        samples=get_samples(SHOWN.lengths.benchmarks),
        predictions=get_shown(SHOWN.lengths, SHOWN.lengths.runs),
        code=get_code("draw_lengths"),
    output:
        pdf=f"{FIGURES}/lengths.pdf",
        png=get_picture(
            "draw_lengths", "lengths", "Lengths of responses and thoughts", "bright"
        ),
        dark=get_picture(
            "draw_lengths", "lengths", "Lengths of responses and thoughts", "dark"
        ),
    log:
        f"{OUT}/logs/draw_lengths.log",
    benchmark:
        f"{OUT}/timings/jobs/draw_lengths.tsv"
    conda:
        ENVIRONMENT
    params:
        world=MICRO_WORLD,
        titles=get_titles(SHOWN.lengths.benchmarks),
    shell:
        "python -m samr1.cli.draw_lengths --training {input.training} "
        "--samples {input.samples} --titles {params.titles:q} "
        "--predictions {input.predictions} "
        "{params.world} --output-pdf {output.pdf} --output-png {output.png} "
        "--output-png-dark {output.dark} 2> {log}"


# The report holds the picture and not the gallery: browsers open no page of more than 2 MB in another.
rule draw_gallery:
    input:
        kinds=f"{WORKFLOW.config_dir}/kinds.yaml",
        samples=expand(f"{OUT}/samples/{{name}}.parquet", name=EXPERIMENT.benchmarks),
        predictions=[path for _, _, path in get_gallery()],
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
        scale=WORKFLOW.scale,
        shown=get_gallery_options,
        world=get_world_seed,
    shell:
        "python -m samr1.cli.draw_gallery {params.shown} --root {params.root} "
        "--scale {params.scale} --kinds {input.kinds} {params.world} --output {output} 2> {log}"
