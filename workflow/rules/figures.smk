# What a person would rather see than read.


rule draw_examples:
    input:
        samples=f"{OUT}/samples/refcocog_test.parquet",
        predictions=get_scores("predictions", ["base", "sam_r1"], ["refcocog_test"]),
        world=DRAWN_WORLD,
        code=get_code("figures", "draw_examples"),
    output:
        f"{OUT}/figures/examples.png",
    log:
        f"{OUT}/logs/draw_examples.log",
    benchmark:
        f"{OUT}/timings/jobs/draw_examples.tsv"
    conda:
        ENVIRONMENT
    params:
        root=get_root,
    shell:
        "python -m samr1.cli.draw_examples --samples {input.samples} "
        "--predictions {input.predictions[0]} {input.predictions[1]} --runs base sam_r1 "
        "--root {params.root} --output {output} 2> {log}"
