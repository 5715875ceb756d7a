# The tables of the paper: its own figures, and beside them what was measured here. Which runs and
# benchmarks stand in which, and what each says below its rows, is config/published.yaml's.
rule make_table:
    input:
        config=f"{OUT}/config/table/{{table}}.yaml",
        metrics=get_table_metrics,
        comparisons=get_table_comparisons,
        training=get_table_trainings,
        training_samples=get_table_training_samples,
        benchmark_samples=get_table_samples,
        code=get_code("make_table"),
    output:
        parquet=f"{TABLES}/{{table}}.parquet",
        markdown=f"{TABLES}/{{table}}.md",
        html=report(
            f"{TABLES}/{{table}}.html",
            caption="../report/make_table.rst",
            category="Tables",
            labels=get_table_label,
        ),
    log:
        f"{OUT}/logs/make_table/{{table}}.log",
    benchmark:
        f"{OUT}/timings/jobs/make_table/{{table}}.tsv"
    conda:
        ENVIRONMENT
    params:
        training_samples=get_option("training-samples"),
    shell:
        "python -m samr1.cli.make_table --config {input.config} --metrics {input.metrics} "
        "--comparisons {input.comparisons} --training {input.training} "
        "--benchmark-samples {input.benchmark_samples} {params.training_samples} "
        "--output-parquet {output.parquet} --output-md {output.markdown} "
        "--output-html {output.html} 2> {log}"


# `snakemake table_4`: one table, and only what it needs.
for table in EXPERIMENT.published.tables:

    rule:
        name:
            table
        input:
            f"{TABLES}/{table}.parquet",
            f"{TABLES}/{table}.md",
        localrule: True


rule collect_tables:
    input:
        tables=expand(f"{TABLES}/{{table}}.md", table=EXPERIMENT.published.tables),
        code=get_code("collect_tables"),
    output:
        f"{TABLES}/README.md",
    log:
        f"{OUT}/logs/collect_tables.log",
    benchmark:
        f"{OUT}/timings/jobs/collect_tables.tsv"
    conda:
        ENVIRONMENT
    shell:
        "python -m samr1.cli.collect_tables --tables {input.tables} --output {output} 2> {log}"
