# Before an hour is spent: are the models whole, and do they run where the run will, a pass of its
# training included? Once for each pair of policy and segmenter; what is on the model hub is
# downloaded here, once, before many processes ask for it.
rule check_models:
    input:
        config=get_checked_config,
        training=get_training_config,
        policy=get_base_policy,
        segmenter=get_segmenter,
    output:
        f"{OUT}/checks/{{models}}.md",
    log:
        f"{OUT}/logs/check_models/{{models}}.log",
    benchmark:
        f"{OUT}/timings/jobs/check_models/{{models}}.tsv"
    conda:
        ENVIRONMENT
    threads: get_cores
    resources:
        gpu=1 if EXPERIMENT.gpus else 0,
    params:
        device=DEVICE,
        threads=get_threads,
        training=get_option("training"),
    shell:
        "OMP_NUM_THREADS={params.threads} python -m samr1.cli.check_models "
        "--config {input.config} {params.training} --device {params.device} --output {output} 2> {log}"
