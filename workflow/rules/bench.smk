# How fast the engine is, against what a user would pick instead: 20 minutes on two cores, never part of `all`.
# Every job takes all cores, so that no two measurements ever run at once. Sizes are the scripts' own
# defaults; look at the results before they are copied to results/reference/bench.
BENCH = f"{WORKFLOW.results}/bench"
BENCH_THREADS = 1024  # more than there are: all of them
BENCH_RECORDS = [
    "step_1",
    "step_2",
    "update",
    "reward_large",
    "reward_micro",
    "evaluation",
]


rule install_trl:
    input:
        script="envs/install_trl.sh",
        lock="envs/trl.lock.txt",
    output:
        ".venv-trl/.installed",
    log:
        f"{BENCH}/logs/install_trl.log",
    conda:
        ENVIRONMENT
    shell:
        "bash {input.script} python $(dirname {output}) &> {log}"


rule measure_step:
    input:
        trl=rules.install_trl.output,
    output:
        f"{BENCH}/records/step_{{updates}}.json",
    log:
        f"{BENCH}/logs/measure_step_{{updates}}.log",
    wildcard_constraints:
        updates=r"\d",
    conda:
        ENVIRONMENT
    threads: BENCH_THREADS
    shell:
        "python tests/bench/measure_step.py --updates {wildcards.updates} "
        "--trl-python $(dirname {input.trl})/bin/python --output {output} &> {log}"


rule measure_reward:
    output:
        f"{BENCH}/records/reward_{{segmenter}}.json",
    log:
        f"{BENCH}/logs/measure_reward_{{segmenter}}.log",
    wildcard_constraints:
        segmenter="large|micro",
    conda:
        ENVIRONMENT
    threads: BENCH_THREADS
    shell:
        "python tests/bench/measure_reward.py --segmenter {wildcards.segmenter} "
        "--output {output} &> {log}"


rule measure_engine:
    output:
        f"{BENCH}/records/{{measure}}.json",
    log:
        f"{BENCH}/logs/measure_{{measure}}.log",
    wildcard_constraints:
        measure="update|evaluation",
    conda:
        ENVIRONMENT
    threads: BENCH_THREADS
    shell:
        "PYTHONPATH=tests/support python tests/bench/measure_{wildcards.measure}.py --output {output} &> {log}"


rule collect_bench:
    input:
        records=expand(f"{BENCH}/records/{{record}}.json", record=BENCH_RECORDS),
    output:
        table=f"{BENCH}/engine.parquet",
        page=f"{BENCH}/engine.md",
    log:
        f"{BENCH}/logs/collect_bench.log",
    conda:
        ENVIRONMENT
    shell:
        "python tests/bench/collect.py --records {input.records} --table {output.table} "
        "--page {output.page} &> {log}"
