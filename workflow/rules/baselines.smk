# Other people's systems, from files or by Grounding DINO: predictions like a run's, and scored like it.


rule import_predictions:
    input:
        samples=f"{OUT}/samples/{{benchmark}}.parquet",
        predictions=get_imported,
        code=get_code("import_predictions"),
    output:
        f"{OUT}/predictions/{{baseline}}/seed_{{seed}}/{{benchmark}}.parquet",
    log:
        f"{OUT}/logs/import_predictions/{{baseline}}/seed_{{seed}}/{{benchmark}}.log",
    benchmark:
        f"{OUT}/timings/jobs/import_predictions/{{baseline}}/seed_{{seed}}/{{benchmark}}.tsv"
    wildcard_constraints:
        baseline=get_names(IMPORTED),
    conda:
        ENVIRONMENT
    params:
        needed=get_needed,
    shell:
        "python -m samr1.cli.import_predictions --samples {input.samples} "
        "--predictions {input.predictions:q} --needed {params.needed} --output {output} 2> {log}"


rule predict_grounding_dino:
    input:
        config=f"{OUT}/config/detect/{{baseline}}.yaml",
        detector=get_detector,
        segmenter=get_segmenter,
        samples=f"{OUT}/samples/{{benchmark}}.parquet",
        world=get_world,
    output:
        f"{OUT}/predictions/{{baseline}}/seed_{{seed}}/{{benchmark}}.parquet",
    log:
        f"{OUT}/logs/predict_grounding_dino/{{baseline}}/seed_{{seed}}/{{benchmark}}.log",
    benchmark:
        f"{OUT}/timings/jobs/predict_grounding_dino/{{baseline}}/seed_{{seed}}/{{benchmark}}.tsv"
    wildcard_constraints:
        baseline=get_names(DETECTORS),
    conda:
        ENVIRONMENT
    threads: get_cores
    resources:
        gpu=1 if EXPERIMENT.gpus else 0,
        root=get_root,
    params:
        device=DEVICE,
        threads=get_threads,
    shell:
        "OMP_NUM_THREADS={params.threads} python -m samr1.cli.predict_grounding_dino "
        "--config {input.config} --samples {input.samples} --root {resources.root} "
        "--device {params.device} --output {output} 2> {log}"
