# Several seeds, other numbers of training samples and longer trainings: hours, and never part of `all`.
# Every training, prediction and score is a job and a file of its own, at the place where `all` has
# them, so that what is interrupted goes on.
STUDIES = f"{OUT}/studies"


rule collect_study:
    input:
        settings=expand(
            f"{WORKFLOW.config_dir}/{{file}}.yaml", file=["studies", "published"]
        ),
        metrics=get_study("metrics"),
        overlaps=get_study("overlaps"),
        training=get_study_trainings(),
        code=get_code("collect_study"),
    output:
        directory(STUDIES),
    log:
        f"{OUT}/logs/collect_study.log",
    benchmark:
        f"{OUT}/timings/jobs/collect_study.tsv"
    conda:
        ENVIRONMENT
    params:
        config_dir=get_config_dir,
        scale=WORKFLOW.scale,
        results=get_results,
    shell:
        "python -m samr1.cli.collect_study --config-dir {params.config_dir} --scale {params.scale} "
        "--results {params.results} --output {output} 2> {log}"
