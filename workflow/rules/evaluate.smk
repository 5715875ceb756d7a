# Prediction needs the models, scoring none: mending a metric never runs a model again.
#
# A job answers all benchmarks of a run, where the scale has it do so, the models loaded once; it writes
# them into one folder, and what it has finished is kept when it is started again.
TOGETHER = EXPERIMENT.evaluated_together == "run"
WHOLE = "{run}/seed_{seed}/{benchmark}"
ANSWERED = (
    "{run}/seed_{seed}/together/{asked}" if TOGETHER else "{run}/seed_{seed}/{asked}"
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
            if TOGETHER
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
        # Not an output: those are removed before each attempt, and a second one goes on from here.
        kept=f"--kept {OUT}/kept_predictions/{ANSWERED}" if TOGETHER else "",
        predictions=get_answered,
    shell:
        "OMP_NUM_THREADS={params.threads} python -m samr1.cli.predict_masks "
        "--config {input.config} --policy {params.policy} --samples {input.samples} "
        "--images {input.images} --root {resources.root} --device {params.device} "
        "{params.kept} --output {params.predictions} 2> {log}"


if TOGETHER:

    rule copy_predictions:
        input:
            get_together,
        output:
            f"{OUT}/predictions/{WHOLE}.parquet",
        log:
            f"{OUT}/logs/copy_predictions/{WHOLE}.log",
        benchmark:
            f"{OUT}/timings/jobs/copy_predictions/{WHOLE}.tsv"
        conda:
            ENVIRONMENT
        shell:
            "cp {input}/{wildcards.benchmark}.parquet {output} 2> {log}"


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
