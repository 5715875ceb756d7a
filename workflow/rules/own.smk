# Data of one's own (config/own_data.yaml): looked at first, since a training rests on it; then samples
# and runs as everywhere else, and a page of each before and after.
OWN_PAGES = f"{OUT}/own/{{own}}"


rule check_dataset:
    input:
        config=f"{OUT}/config/own_data/{{own}}.yaml",
        files=get_own_files,
    output:
        directory(f"{OWN_PAGES}/data"),
    log:
        f"{OUT}/logs/check_dataset/{{own}}.log",
    benchmark:
        f"{OUT}/timings/jobs/check_dataset/{{own}}.tsv"
    conda:
        ENVIRONMENT
    shell:
        "python -m samr1.cli.check_dataset --config {input.config} --output {output} 2> {log}"


rule index_own:
    input:
        config=f"{OUT}/config/own_data/{{own}}.yaml",
        files=get_own_files,
        checked=f"{OWN_PAGES}/data",
    output:
        f"{OUT}/samples/{{own}}{{part}}.parquet",
    log:
        f"{OUT}/logs/index_own/{{own}}{{part}}.log",
    benchmark:
        f"{OUT}/timings/jobs/index_own/{{own}}{{part}}.tsv"
    wildcard_constraints:
        part="|-train",
    conda:
        ENVIRONMENT
    params:
        part=get_part,
    shell:
        "python -m samr1.cli.index_own --config {input.config} --part {params.part} "
        "--page {input.checked}/index.html --output {output} 2> {log}"


rule report_own:
    input:
        data=f"{OWN_PAGES}/data",
        samples=f"{OUT}/samples/{{own}}.parquet",
        metrics=get_own_evaluated("metrics"),
        comparisons=get_own_comparisons,
        examples=f"{FIGURES}/examples-{{own}}.png",
        curves=f"{FIGURES}/curves-{{own}}.png",
        gallery=f"{FIGURES}/gallery-{{own}}.html",
        policies=get_own_policies,
        code=get_code("report_own"),
    output:
        f"{OWN_PAGES}/index.html",
    log:
        f"{OUT}/logs/report_own/{{own}}.log",
    benchmark:
        f"{OUT}/timings/jobs/report_own/{{own}}.tsv"
    conda:
        ENVIRONMENT
    params:
        world=MICRO_WORLD,
        prompts=get_other_prompts,
    shell:
        "python -m samr1.cli.report_own --own {wildcards.own} --data {input.data}/index.html "
        "--samples {input.samples} --metrics {input.metrics} --comparisons {input.comparisons} "
        "--examples {input.examples} --curves {input.curves} --gallery {input.gallery} --policies {input.policies} {params.world} "
        "{params.prompts} --output {output} 2> {log}"
