# One training a run and seed. It does not depend on its module files: an edit never retrains by itself.
rule train_policy:
    input:
        config=f"{OUT}/config/train/{{run}}/seed_{{seed}}.yaml",
        policy=get_base_policy,
        segmenter=get_segmenter,
        samples=get_training_samples,
        images=get_training_images,
        world=get_world,
        checked=ancient(get_check),  # looked at again, it retrains nothing
    output:
        policy=directory(f"{OUT}/policies/{{run}}/seed_{{seed}}"),
        metrics=f"{OUT}/training/{{run}}/seed_{{seed}}.parquet",
        timings=f"{OUT}/timings/training/{{run}}/seed_{{seed}}.parquet",
        tensorboard=directory(f"{OUT}/tensorboard/{{run}}/seed_{{seed}}"),
    log:
        f"{OUT}/logs/train_policy/{{run}}/seed_{{seed}}.log",
    benchmark:
        f"{OUT}/timings/jobs/train_policy/{{run}}/seed_{{seed}}.tsv"
    wildcard_constraints:
        run=get_names(name for name in RUNS if RUNS[name].trained),
    conda:
        ENVIRONMENT
    threads: get_cores
    resources:
        gpu=EXPERIMENT.gpus,
        # Here, since a change of these must not train anew, as one of params does: where metrics are
        # shown and images are, by how many processes a step is shared, how often it is kept.
        log_to=" ".join(WORKFLOW.log_to),
        root=get_root,
        processes=EXPERIMENT.processes,
        checkpoint_steps=get_checkpoint_steps,
    params:
        device=DEVICE,
        threads=get_threads,
        # Not an output: those are removed before each attempt, and a second one goes on from here.
        checkpoints=f"{OUT}/checkpoints/{{run}}/seed_{{seed}}",
    shell:
        "OMP_NUM_THREADS={params.threads} python -m samr1.cli.train_policy "
        "--config {input.config} --samples {input.samples} --images {input.images} "
        "--root {resources.root} --output-policy {output.policy} --output-metrics {output.metrics} "
        "--output-timings {output.timings} --tensorboard {output.tensorboard} "
        "--checkpoints {params.checkpoints} --processes {resources.processes} --device {params.device} "
        "--checkpoint-steps {resources.checkpoint_steps} --log-to {resources.log_to} 2> {log}"
