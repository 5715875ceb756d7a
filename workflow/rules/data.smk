# From the data sets' public layouts to one table of samples and one of resized images each.
#
# Where the data is, and whether a split is counted, changes no result: such options are resources,
# since a change of params makes a file, and all that is made of it, again.
if EXPERIMENT.data.world:

    rule draw_world:
        input:
            config=f"{OUT}/config/world.yaml",
        output:
            root=directory(WORLD),
        log:
            f"{OUT}/logs/draw_world.log",
        benchmark:
            f"{OUT}/timings/jobs/draw_world.tsv"
        conda:
            ENVIRONMENT
        shell:
            "python -m samr1.cli.draw_world --config {input.config} --output {output.root} "
            "2> {log}"


rule index_refer:
    input:
        config=f"{OUT}/config/samples/{{samples}}.yaml",
        data=get_data,
    output:
        f"{OUT}/samples/{{samples}}.parquet",
    log:
        f"{OUT}/logs/index_refer/{{samples}}.log",
    benchmark:
        f"{OUT}/timings/jobs/index_refer/{{samples}}.tsv"
    wildcard_constraints:
        samples=get_names(get_indexed("refcoco", "refcoco+", "refcocog")),
    conda:
        ENVIRONMENT
    resources:
        root=get_root,
        counts=COUNTS,
    params:
        options=get_refer_options,
        on_bad_sample=EXPERIMENT.data.on_bad_sample,
    shell:
        "python -m samr1.cli.index_refer --root {resources.root} {params.options} "
        "--on-bad-sample {params.on_bad_sample} {resources.counts} --output {output} 2> {log}"


rule index_reasonseg:
    input:
        config=f"{OUT}/config/samples/{{samples}}.yaml",
        data=get_data,
    output:
        f"{OUT}/samples/{{samples}}.parquet",
    log:
        f"{OUT}/logs/index_reasonseg/{{samples}}.log",
    benchmark:
        f"{OUT}/timings/jobs/index_reasonseg/{{samples}}.tsv"
    wildcard_constraints:
        samples=get_names(get_indexed("reasonseg", "lisa_grounding")),
    conda:
        ENVIRONMENT
    resources:
        root=get_root,
        counts=COUNTS,
    params:
        options=get_reasonseg_options,
        on_bad_sample=EXPERIMENT.data.on_bad_sample,
    shell:
        "python -m samr1.cli.index_reasonseg --root {resources.root} {params.options} "
        "--on-bad-sample {params.on_bad_sample} {resources.counts} --output {output} 2> {log}"


rule index_objects:
    input:
        samples=f"{OUT}/samples/{{samples}}.parquet",
        data=get_data,
    output:
        f"{OUT}/objects/{{samples}}.parquet",
    log:
        f"{OUT}/logs/index_objects/{{samples}}.log",
    benchmark:
        f"{OUT}/timings/jobs/index_objects/{{samples}}.tsv"
    wildcard_constraints:
        samples=get_names(EXPERIMENT.benchmarks),
    conda:
        ENVIRONMENT
    resources:
        instances=get_instances,
    shell:
        "python -m samr1.cli.index_objects --samples {input.samples} "
        "--instances {resources.instances} --output {output} 2> {log}"


rule sample_training:
    input:
        config=f"{OUT}/config/draw.yaml",
        pool=get_pool,
        leave_out=get_left_out,
    output:
        f"{OUT}/samples/training_{{draw}}.parquet",
    log:
        f"{OUT}/logs/sample_training/{{draw}}.log",
    benchmark:
        f"{OUT}/timings/jobs/sample_training/{{draw}}.tsv"
    wildcard_constraints:
        draw=DRAW,
    conda:
        ENVIRONMENT
    params:
        how_many=get_count,
        seed=EXPERIMENT.data.training.seed,
    shell:
        "python -m samr1.cli.sample_training --pool {input.pool} {params.how_many} "
        "--seed {params.seed} --leave-out {input.leave_out} --output {output} 2> {log}"


rule resize_images:
    input:
        samples=f"{OUT}/samples/{{samples}}.parquet",
        world=get_world,
    output:
        f"{OUT}/images_{{side}}/{{samples}}.parquet",
    log:
        f"{OUT}/logs/resize_images_{{side}}/{{samples}}.log",
    benchmark:
        f"{OUT}/timings/jobs/resize_images_{{side}}/{{samples}}.tsv"
    wildcard_constraints:
        side=r"\d+",
    conda:
        ENVIRONMENT
    resources:
        root=get_root,
    shell:
        "python -m samr1.cli.resize_images --samples {input.samples} --root {resources.root} "
        "--image-size {wildcards.side} --output {output} 2> {log}"
