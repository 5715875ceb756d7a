# From Parquet mirrors of the data sets: their files, the images as files below the data root, and the
# samples. As with `fetch_dataset`, the record says that the files are there, and a node with a network
# fetches them.
if EXPERIMENT.data.layout == "mirror":

    localrules:
        fetch_mirror,

    wildcard_constraints:
        owner="[^/]+?",
        name="[^/]+",

    rule fetch_mirror:
        output:
            f"{OUT}/fetched/{{owner}}--{{name}}.json",
        log:
            f"{OUT}/logs/fetch_mirror/{{owner}}--{{name}}.log",
        benchmark:
            f"{OUT}/timings/jobs/fetch_mirror/{{owner}}--{{name}}.tsv"
        retries: 0
        conda:
            ENVIRONMENT
        params:
            root=get_root,
        shell:
            "python -m samr1.cli.fetch_mirror --root {params.root} "
            "--mirror {wildcards.owner}/{wildcards.name} --output {output} 2> {log}"

    rule unpack_mirror:
        input:
            ancient(rules.fetch_mirror.output),
        output:
            directory(f"{MIRROR_IMAGES}/{{owner}}--{{name}}"),
        log:
            f"{OUT}/logs/unpack_mirror/{{owner}}--{{name}}.log",
        benchmark:
            f"{OUT}/timings/jobs/unpack_mirror/{{owner}}--{{name}}.tsv"
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
            config=f"{OUT}/config/samples/{{samples}}.yaml",
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
        resources:
            root=get_root,
            counts=COUNTS,
        params:
            options=get_mirror_options,
            on_bad_sample=EXPERIMENT.data.on_bad_sample,
        shell:
            "python -m samr1.cli.index_mirror --root {resources.root} {params.options} "
            "--on-bad-sample {params.on_bad_sample} {resources.counts} --output {output} 2> {log}"
