# The tables of the paper: its own figures, and beside them what was measured here.


rule table_1:
    input:
        published=PUBLISHED,
        systems=BASELINES_FILE,
        baselines=get_baseline_metrics(TABLE_1_BENCHMARKS),
        metrics=get_metrics(MAIN_RUNS, TABLE_1_BENCHMARKS + ABLATION_BENCHMARKS),
        comparisons=get_comparisons("base", TABLE_1_BENCHMARKS + ABLATION_BENCHMARKS),
        code=get_code("report/tables", "table_options", "table_1"),
    output:
        parquet=f"{TABLES}/table_1.parquet",
        markdown=f"{TABLES}/table_1.md",
    log:
        f"{OUT}/logs/table_1.log",
    benchmark:
        f"{OUT}/timings/jobs/table_1.tsv"
    conda:
        ENVIRONMENT
    params:
        scale=WORKFLOW.scale,
        checkpoint=EXPERIMENT.checkpoint,
        runs=TABLE_RUNS,
    shell:
        "python -m samr1.cli.table_1 --metrics {input.metrics} {input.baselines} "
        "--published {input.published} {params.runs} --baselines {input.systems} "
        "--scale {params.scale} --checkpoint {params.checkpoint} "
        "--comparisons {input.comparisons} --output-parquet {output.parquet} "
        "--output-md {output.markdown} 2> {log}"


rule table_2:
    input:
        published=PUBLISHED,
        systems=BASELINES_FILE,
        baselines=get_baseline_metrics(TABLE_2_BENCHMARKS),
        metrics=get_metrics(MAIN_RUNS, TABLE_2_BENCHMARKS),
        training=get_training("samples", "sam_r1"),
        benchmarks=expand(f"{OUT}/samples/{{name}}.parquet", name=EXPERIMENT.benchmarks),
        code=get_code("report/tables", "table_options", "table_2"),
    output:
        parquet=f"{TABLES}/table_2.parquet",
        markdown=f"{TABLES}/table_2.md",
    log:
        f"{OUT}/logs/table_2.log",
    benchmark:
        f"{OUT}/timings/jobs/table_2.tsv"
    conda:
        ENVIRONMENT
    params:
        scale=WORKFLOW.scale,
        checkpoint=EXPERIMENT.checkpoint,
        runs=TABLE_RUNS,
    shell:
        "python -m samr1.cli.table_2 --metrics {input.metrics} {input.baselines} "
        "--published {input.published} {params.runs} --baselines {input.systems} "
        "--scale {params.scale} --checkpoint {params.checkpoint} "
        "--training-samples {input.training} "
        "--benchmark-samples {input.benchmarks} --output-parquet {output.parquet} "
        "--output-md {output.markdown} 2> {log}"


rule table_3:
    input:
        published=PUBLISHED,
        systems=BASELINES_FILE,
        baselines=get_baseline_metrics(TABLE_3_BENCHMARKS),
        metrics=get_metrics(MAIN_RUNS, TABLE_3_BENCHMARKS),
        code=get_code("report/tables", "table_options", "table_3"),
    output:
        parquet=f"{TABLES}/table_3.parquet",
        markdown=f"{TABLES}/table_3.md",
    log:
        f"{OUT}/logs/table_3.log",
    benchmark:
        f"{OUT}/timings/jobs/table_3.tsv"
    conda:
        ENVIRONMENT
    params:
        scale=WORKFLOW.scale,
        checkpoint=EXPERIMENT.checkpoint,
        runs=TABLE_RUNS,
    shell:
        "python -m samr1.cli.table_3 --metrics {input.metrics} {input.baselines} "
        "--published {input.published} {params.runs} --baselines {input.systems} "
        "--scale {params.scale} --checkpoint {params.checkpoint} "
        "--output-parquet {output.parquet} "
        "--output-md {output.markdown} 2> {log}"


rule table_4:
    input:
        published=PUBLISHED,
        metrics=get_metrics(["base", *TABLE_4_RUNS], ABLATION_BENCHMARKS),
        comparisons=get_comparisons("sam_r1", ABLATION_BENCHMARKS),
        code=get_code("report/tables", "table_options", "table_4"),
    output:
        parquet=f"{TABLES}/table_4.parquet",
        markdown=f"{TABLES}/table_4.md",
    log:
        f"{OUT}/logs/table_4.log",
    benchmark:
        f"{OUT}/timings/jobs/table_4.tsv"
    conda:
        ENVIRONMENT
    params:
        scale=WORKFLOW.scale,
        checkpoint=EXPERIMENT.checkpoint,
    shell:
        "python -m samr1.cli.table_4 --metrics {input.metrics} --published {input.published} "
        "--scale {params.scale} --checkpoint {params.checkpoint} "
        "--comparisons {input.comparisons} --output-parquet {output.parquet} "
        "--output-md {output.markdown} 2> {log}"


rule table_5:
    input:
        published=PUBLISHED,
        metrics=get_metrics(["base", *TABLE_5_RUNS], ABLATION_BENCHMARKS),
        comparisons=get_comparisons("sam_r1", ABLATION_BENCHMARKS),
        training=get_trainings(TABLE_5_RUNS),
        code=get_code("report/tables", "table_options", "table_5"),
    output:
        parquet=f"{TABLES}/table_5.parquet",
        markdown=f"{TABLES}/table_5.md",
    log:
        f"{OUT}/logs/table_5.log",
    benchmark:
        f"{OUT}/timings/jobs/table_5.tsv"
    conda:
        ENVIRONMENT
    params:
        scale=WORKFLOW.scale,
        checkpoint=EXPERIMENT.checkpoint,
    shell:
        "python -m samr1.cli.table_5 --metrics {input.metrics} --published {input.published} "
        "--scale {params.scale} --checkpoint {params.checkpoint} "
        "--comparisons {input.comparisons} --training {input.training} --output-parquet {output.parquet} "
        "--output-md {output.markdown} 2> {log}"


rule collect_tables:
    input:
        tables=expand(f"{TABLES}/table_{{number}}.md", number=range(1, 6)),
        code=get_code("report/tables", "collect_tables"),
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


rule render_table:
    input:
        table=f"{TABLES}/table_{{number}}.md",
        code=get_code("report/tables", "render_table"),
    output:
        report(
            f"{TABLES}/table_{{number}}.html",
            caption="../report/render_table.rst",
            category="Tables",
            labels={"table": "Table {number}"},
        ),
    log:
        f"{OUT}/logs/render_table/table_{{number}}.log",
    benchmark:
        f"{OUT}/timings/jobs/render_table/table_{{number}}.tsv"
    conda:
        ENVIRONMENT
    shell:
        "python -m samr1.cli.render_table --table {input.table} --output {output} 2> {log}"
