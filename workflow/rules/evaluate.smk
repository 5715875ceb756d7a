# Prediction needs the models, scoring none: mending a metric never runs a model again.
#
# A job answers its part of as many benchmarks as the scale has it answer, the models loaded once; what
# it has finished is kept when it is started again. With one benchmark and no shards it writes the whole
# file, and there is nothing to gather.
SHARDS = EXPERIMENT.evaluation_shards
DEALT = SHARDS > 1 or EXPERIMENT.evaluated_together == "run"
WHOLE = "{run}/seed_{seed}/{benchmark}"
ANSWERED = (
    f"{{run}}/seed_{{seed}}/parts/{{asked}}/{{shard}}-of-{SHARDS}"
    if DEALT
    else "{run}/seed_{seed}/{asked}"
)


rule predict_masks:
    input:
        config=f"{OUT}/config/predict/{{run}}.yaml",
        policy=get_policy,
        segmenter=get_segmenter,
        samples=get_asked("samples"),
        images=get_asked("images"),
        world=get_world,
        checked=ancient(get_check),
    output:
        (
            directory(f"{OUT}/predictions/{ANSWERED}")
            if DEALT
            else f"{OUT}/predictions/{ANSWERED}.parquet"
        ),
    log:
        f"{OUT}/logs/predict_masks/{ANSWERED}.log",
    benchmark:
        f"{OUT}/timings/jobs/predict_masks/{ANSWERED}.tsv"
    wildcard_constraints:
        asked=rf"{get_names(BENCHMARKS)}|all-[0-9a-f]{{8}}",
    conda:
        ENVIRONMENT
    threads: get_cores
    resources:
        gpu=EXPERIMENT.gpus,
        root=get_root,
    params:
        device=DEVICE,
        threads=get_threads,
        policy=get_policy_path,
        shard=get_shard,
        # Not an output: those are removed before each attempt, and a second one goes on from here.
        kept=f"--kept {OUT}/kept_predictions/{ANSWERED}" if DEALT else "",
        predictions=get_answered,
    shell:
        "OMP_NUM_THREADS={params.threads} python -m samr1.cli.predict_masks "
        "--config {input.config} --policy {params.policy} --samples {input.samples} "
        "--images {input.images} --root {resources.root} --shard {params.shard} --device {params.device} "
        "{params.kept} --output {params.predictions} 2> {log}"


if DEALT:

    rule gather_predictions:
        input:
            config=f"{OUT}/config/predict/{{run}}.yaml",
            samples=f"{OUT}/samples/{{benchmark}}.parquet",
            predictions=get_parts,
            code=get_code("gather_predictions"),
        output:
            f"{OUT}/predictions/{WHOLE}.parquet",
        log:
            f"{OUT}/logs/gather_predictions/{WHOLE}.log",
        benchmark:
            f"{OUT}/timings/jobs/gather_predictions/{WHOLE}.tsv"
        conda:
            ENVIRONMENT
        params:
            predictions=get_gathered,
        shell:
            "python -m samr1.cli.gather_predictions --config {input.config} "
            "--samples {input.samples} --predictions {params.predictions} --output {output} 2> {log}"


rule score_benchmark:
    input:
        config=f"{OUT}/config/score/{{run}}.yaml",
        samples=f"{OUT}/samples/{{benchmark}}.parquet",
        objects=get_scored_objects,
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
        objects=get_option("objects"),
        protocols=get_protocols,
    shell:
        "python -m samr1.cli.score_benchmark --config {input.config} --samples {input.samples} "
        "{params.objects} --predictions {input.predictions} {params.protocols} --run {wildcards.run} "
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
