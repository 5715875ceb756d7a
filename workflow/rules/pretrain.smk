# The cold start of the tiny models: never part of `all`. Its results are committed as
# src/samr1/micro/weights; here they are made anew beside them, so that no run takes them unasked.
# One thread each, so that the bytes do not depend on how many cores there are.
PRETRAIN = f"{WORKFLOW.results}/pretrain"


rule pretrain_policy:
    input:
        config=f"{WORKFLOW.config_dir}/pretrain.yaml",
    output:
        policy=directory(f"{PRETRAIN}/policy"),
    log:
        f"{PRETRAIN}/logs/pretrain_policy.log",
    benchmark:
        f"{PRETRAIN}/timings/pretrain_policy.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    params:
        # Not an output: finished stages outlive an interruption, and the next attempt goes on from them.
        work=f"{PRETRAIN}/work/policy",
        history=f"{PRETRAIN}/work/policy.jsonl",
    shell:
        "OMP_NUM_THREADS={threads} python -m samr1.cli.pretrain_policy --config {input.config} "
        "--work {params.work} --log {params.history} --threads {threads} "
        "--output {output.policy} 2> {log}"


rule pretrain_segmenter:
    input:
        config=f"{WORKFLOW.config_dir}/pretrain.yaml",
    output:
        segmenter=directory(f"{PRETRAIN}/segmenter"),
        history=f"{PRETRAIN}/segmenter.jsonl",
    log:
        f"{PRETRAIN}/logs/pretrain_segmenter.log",
    benchmark:
        f"{PRETRAIN}/timings/pretrain_segmenter.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    shell:
        "OMP_NUM_THREADS={threads} python -m samr1.cli.pretrain_segmenter --config {input.config} "
        "--log {output.history} --threads {threads} --output {output.segmenter} 2> {log}"
