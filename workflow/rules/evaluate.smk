# Prediction needs the models, scoring none: mending a metric never runs a model again.
#
# A shard is a job of its own, so that the benchmarks fill a cluster and what is done is kept when the
# rest is started again. With one shard there is nothing to gather: it writes the whole file.
SHARDS = EXPERIMENT.evaluation_shards
WHOLE = "{run}/seed_{seed}/{benchmark}"
SHARD = f"{WHOLE}/{{shard}}-of-{SHARDS}" if SHARDS > 1 else WHOLE


rule predict_masks:
    input:
        config=f"{OUT}/config/predict/{{run}}.yaml",
        policy=get_policy,
        segmenter=get_segmenter,
        samples=f"{OUT}/samples/{{benchmark}}.parquet",
        images=f"{OUT}/images/{{benchmark}}.parquet",
        world=DRAWN_WORLD,
        checked=ancient(get_check),
    output:
        predictions=f"{OUT}/predictions/{SHARD}.parquet",
        timings=f"{OUT}/timings/predictions/{SHARD}.parquet",
    log:
        f"{OUT}/logs/predict_masks/{SHARD}.log",
    benchmark:
        f"{OUT}/timings/jobs/predict_masks/{SHARD}.tsv"
    conda:
        ENVIRONMENT
    threads: get_cores
    resources:
        gpu=EXPERIMENT.gpus,
    params:
        root=get_root,
        threads=get_threads,
        policy=get_policy_path,
        shard=get_shard,
    shell:
        "OMP_NUM_THREADS={params.threads} python -m samr1.cli.predict_masks "
        "--config {input.config} --policy {params.policy} --samples {input.samples} "
        "--images {input.images} --root {params.root} --shard {params.shard} "
        "--output {output.predictions} --output-timings {output.timings} 2> {log}"


if SHARDS > 1:

    rule gather_predictions:
        input:
            config=f"{OUT}/config/predict/{{run}}.yaml",
            samples=f"{OUT}/samples/{{benchmark}}.parquet",
            predictions=get_shards("predictions"),
            timings=get_shards("timings/predictions"),
            code=get_code("gather_predictions"),
        output:
            predictions=f"{OUT}/predictions/{WHOLE}.parquet",
            timings=f"{OUT}/timings/predictions/{WHOLE}.parquet",
        log:
            f"{OUT}/logs/gather_predictions/{WHOLE}.log",
        benchmark:
            f"{OUT}/timings/jobs/gather_predictions/{WHOLE}.tsv"
        conda:
            ENVIRONMENT
        shell:
            "python -m samr1.cli.gather_predictions --config {input.config} "
            "--samples {input.samples} --predictions {input.predictions} "
            "--timings {input.timings} --output {output.predictions} "
            "--output-timings {output.timings} 2> {log}"


rule score_benchmark:
    input:
        config=f"{OUT}/config/score/{{run}}.yaml",
        samples=f"{OUT}/samples/{{benchmark}}.parquet",
        predictions=f"{OUT}/predictions/{{run}}/seed_{{seed}}/{{benchmark}}.parquet",
        code=get_code("score_benchmark"),
    output:
        metrics=f"{OUT}/metrics/{{run}}/seed_{{seed}}/{{benchmark}}.parquet",
        overlaps=f"{OUT}/overlaps/{{run}}/seed_{{seed}}/{{benchmark}}.parquet",
    log:
        f"{OUT}/logs/score_benchmark/{{run}}/seed_{{seed}}/{{benchmark}}.log",
    benchmark:
        f"{OUT}/timings/jobs/score_benchmark/{{run}}/seed_{{seed}}/{{benchmark}}.tsv"
    wildcard_constraints:
        run=get_names([*RUNS, *BASELINES]),
    conda:
        ENVIRONMENT
    params:
        protocols=get_protocols,
    shell:
        "python -m samr1.cli.score_benchmark --config {input.config} --samples {input.samples} "
        "--predictions {input.predictions} {params.protocols} --run {wildcards.run} "
        "--seed {wildcards.seed} --benchmark {wildcards.benchmark} --output {output.metrics} "
        "--output-overlaps {output.overlaps} 2> {log}"


rule compare_runs:
    input:
        config=f"{OUT}/config/score/{{baseline}}.yaml",
        overlaps=get_compared,
        baseline=get_baseline,
        code=get_code("compare_runs"),
    output:
        f"{OUT}/comparisons/{{baseline}}/{{benchmark}}.parquet",
    log:
        f"{OUT}/logs/compare_runs/{{baseline}}/{{benchmark}}.log",
    benchmark:
        f"{OUT}/timings/jobs/compare_runs/{{baseline}}/{{benchmark}}.tsv"
    wildcard_constraints:
        baseline=get_names({baseline for baseline, _ in COMPARISONS}),
    conda:
        ENVIRONMENT
    shell:
        "python -m samr1.cli.compare_runs --config {input.config} --overlaps {input.overlaps} "
        "--baseline {input.baseline} --output {output} 2> {log}"
