# SAM-R1 as one workflow: `snakemake --cores all` writes every table of the paper at micro scale,
# `snakemake --cores all --config scale=paper` at the paper's own. Rules and targets by name:
# `snakemake --list`. Run it in the repository's root.


configfile: "config/config.yaml"


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/common_data.smk"
include: "workflow/rules/common_evaluate.smk"
include: "workflow/rules/common_tables.smk"
include: "workflow/rules/common_figures.smk"
include: "workflow/rules/common_own.smk"
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
include: "workflow/rules/own.smk"
include: "workflow/rules/pretrain.smk"
include: "workflow/rules/bench.smk"


localrules:
    all,
    tables,
    figures,
    ablations,
    figure_3,
    figure_4,
    studies,
    own,
    pretrain,
    bench,
    write_config,
    fetch,


# The five tables, for a browser too, and the page that holds them.
rule tables:
    input:
        rules.collect_tables.output,
        expand(rules.make_table.output.html, table=EXPERIMENT.published.tables),


# Every figure, and the runs that only figures show.
rule figures:
    input:
        expand(rules.draw_figure.output, figure=DRAWN),
        f"{FIGURES}/gallery.html",


# Everything: the five tables, every benchmark of the main runs, and the figures. `snakemake --report
# report.html` then makes one page of it.
rule all:
    default_target: True
    input:
        rules.tables.input,
        get_evaluated("metrics", jobs.evaluate_main(EXPERIMENT)),
        rules.figures.input,


# Tables 4 and 5, Figure 4 and its three runs.
rule ablations:
    input:
        expand(rules.make_table.output, table=EXPERIMENT.published.ablations),
        expand(rules.draw_figure.output, figure="figure_4"),


# Tables 4 and 5 over several seeds, Table 6 (what came after the paper), the sweep of training samples
# and the long trainings (config/studies.yaml): hours, never part of `all`.
rule studies:
    input:
        rules.collect_study.output,


# Data of your own (config/own_data.md): checked, trained on, and a page of it before and after.
rule own:
    input:
        get_all_own,


# Figure 3: every question with the answers of the runs, on one page, and a picture of five.
rule figure_3:
    input:
        expand(rules.draw_figure.output, figure="examples"),
        f"{FIGURES}/gallery.html",


# Figure 4: the KL term, and where negative points fall.
rule figure_4:
    input:
        expand(rules.draw_figure.output, figure="figure_4"),


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
