# From the data sets' public layouts to one table of samples and one of resized images each.
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
    params:
        root=get_root,
        options=get_refer_options,
        on_bad_sample=EXPERIMENT.data.on_bad_sample,
        counts=COUNTS,
    shell:
        "python -m samr1.cli.index_refer --root {params.root} {params.options} "
        "--on-bad-sample {params.on_bad_sample} {params.counts} --output {output} 2> {log}"


rule index_reasonseg:
    input:
        data=get_data,
    output:
        f"{OUT}/samples/{{samples}}.parquet",
    log:
        f"{OUT}/logs/index_reasonseg/{{samples}}.log",
    benchmark:
        f"{OUT}/timings/jobs/index_reasonseg/{{samples}}.tsv"
    wildcard_constraints:
        samples=get_names(get_indexed("reasonseg")),
    conda:
        ENVIRONMENT
    params:
        root=get_root,
        split=get_split,
        on_bad_sample=EXPERIMENT.data.on_bad_sample,
        counts=COUNTS,
    shell:
        "python -m samr1.cli.index_reasonseg --root {params.root} --split {params.split} "
        "--on-bad-sample {params.on_bad_sample} {params.counts} --output {output} 2> {log}"


rule index_lisa_grounding:
    input:
        data=get_data,
    output:
        f"{OUT}/samples/{{samples}}.parquet",
    log:
        f"{OUT}/logs/index_lisa_grounding/{{samples}}.log",
    benchmark:
        f"{OUT}/timings/jobs/index_lisa_grounding/{{samples}}.tsv"
    wildcard_constraints:
        samples=get_names(get_indexed("lisa_grounding")),
    conda:
        ENVIRONMENT
    params:
        root=get_root,
        split=get_split,
        on_bad_sample=EXPERIMENT.data.on_bad_sample,
        counts=COUNTS,
    shell:
        "python -m samr1.cli.index_lisa_grounding --root {params.root} --split {params.split} "
        "--on-bad-sample {params.on_bad_sample} {params.counts} --output {output} 2> {log}"


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
    params:
        instances=get_instances,
    shell:
        "python -m samr1.cli.index_objects --samples {input.samples} "
        "--instances {params.instances} --output {output} 2> {log}"


rule sample_training:
    input:
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
        f"{OUT}/{{images}}/{{samples}}.parquet",
    log:
        f"{OUT}/logs/resize_{{images}}/{{samples}}.log",
    benchmark:
        f"{OUT}/timings/jobs/resize_{{images}}/{{samples}}.tsv"
    wildcard_constraints:
        images=r"images(_\d+)?",
    conda:
        ENVIRONMENT
    params:
        root=get_root,
        image_size=get_side,
    shell:
        "python -m samr1.cli.resize_images --samples {input.samples} --root {params.root} "
        "--image-size {params.image_size} --output {output} 2> {log}"
