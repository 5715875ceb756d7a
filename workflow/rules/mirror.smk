# From Parquet mirrors of the data sets: the images as files below the data root, and the samples.
if EXPERIMENT.data.layout == "mirror":

    rule unpack_mirror:
        output:
            directory(f"{MIRROR_IMAGES}/{{owner}}--{{name}}"),
        log:
            f"{OUT}/logs/unpack_mirror/{{owner}}--{{name}}.log",
        benchmark:
            f"{OUT}/timings/jobs/unpack_mirror/{{owner}}--{{name}}.tsv"
        wildcard_constraints:
            owner="[^/]+?",
            name="[^/]+",
        conda:
            ENVIRONMENT
        params:
            root=get_root,
            on_bad_sample=EXPERIMENT.data.on_bad_sample,
        shell:
            "python -m samr1.cli.unpack_mirror --root {params.root} "
            "--mirror {wildcards.owner}/{wildcards.name} --on-bad-sample {params.on_bad_sample} "
            "2> {log}"

    rule index_mirror:
        input:
            images=get_mirror_images,
        output:
            f"{OUT}/samples/{{samples}}.parquet",
        log:
            f"{OUT}/logs/index_mirror/{{samples}}.log",
        benchmark:
            f"{OUT}/timings/jobs/index_mirror/{{samples}}.tsv"
        wildcard_constraints:
            samples=get_names(filter(get_mirror, ["pool", *EXPERIMENT.benchmarks])),
        conda:
            ENVIRONMENT
        params:
            root=get_root,
            options=get_mirror_options,
            on_bad_sample=EXPERIMENT.data.on_bad_sample,
            counts=COUNTS,
        shell:
            "python -m samr1.cli.index_mirror --root {params.root} {params.options} "
            "--on-bad-sample {params.on_bad_sample} {params.counts} --output {output} 2> {log}"
