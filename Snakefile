# SAM-R1 as one workflow: `snakemake --cores all` writes every table of the paper at micro scale,
# `snakemake --cores all --config scale=paper` at the paper's own. Rules and targets by name:
# `snakemake --list`. Run it in the repository's root.


configfile: "config/config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/config.smk"
include: "workflow/rules/fetch.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/mirror.smk"
include: "workflow/rules/check.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/baselines.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/studies.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/pretrain.smk"
include: "workflow/rules/bench.smk"


localrules:
    all,
    tables,
    ablations,
    studies,
    pretrain,
    bench,
    write_config,
    fetch,


# Everything: the five tables, every benchmark of the main runs, the trainings of Figure 4, and a
# picture.
rule all:
    default_target: True
    input:
        rules.collect_tables.output,
        get_metrics(MAIN_RUNS, list(EXPERIMENT.benchmarks)),
        get_trainings(FIGURE_4_RUNS),
        rules.draw_examples.output,


# The five tables and the page that holds them.
rule tables:
    input:
        rules.collect_tables.output,


# Tables 4 and 5 and the three runs of Figure 4.
rule ablations:
    input:
        rules.table_4.output,
        rules.table_5.output,
        get_trainings(FIGURE_4_RUNS),


# Tables 4 and 5 over several seeds, the sweep of training samples and the long trainings
# (config/studies.yaml): hours, never part of `all`.
rule studies:
    input:
        rules.collect_study.output,


# The public data sets that the scale reads, and nothing else.
rule fetch:
    input:
        get_all_fetched,


# The weights of the tiny models, made anew under results/pretrain; never part of `all`.
rule pretrain:
    input:
        rules.pretrain_policy.output,
        rules.pretrain_segmenter.output,


# The engine against TRL's trainer and its own plain twins, measured: about an hour, never part of
# `all`.
rule bench:
    input:
        rules.collect_bench.output,
