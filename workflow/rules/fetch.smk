# Public data sets under the data root, from where config/datasets.yaml says. Data that is there is
# taken as it is: the output is a record that all of it is there, never the data itself, because
# Snakemake removes outputs. A local rule: on a cluster the node that Snakemake runs on has the network.
if EXPERIMENT.data.root:

    localrules:
        fetch_dataset,

    rule fetch_dataset:
        input:
            # Another address is no reason to look again.
            config=ancient(f"{WORKFLOW.config_dir}/datasets.yaml"),
        output:
            f"{OUT}/fetched/{{dataset}}.json",
        log:
            f"{OUT}/logs/fetch_dataset/{{dataset}}.log",
        benchmark:
            f"{OUT}/timings/jobs/fetch_dataset/{{dataset}}.tsv"
        wildcard_constraints:
            dataset=get_names(DATASETS),
        # The command tries again by itself, and goes on where it was.
        retries: 0
        conda:
            ENVIRONMENT
        params:
            root=get_root,
        shell:
            "python -m samr1.cli.fetch_dataset --config {input.config} --dataset {wildcards.dataset} "
            "--root {params.root} --output {output} 2> {log}"
