# Each stage has a file of its own, and a job of its own writes it when its content has changed: what
# the evaluation changes in the configuration never reaches the training.
rule write_config:
    input:
        force_outdated,
    output:
        f"{OUT}/config/{{stage}}.yaml",
    log:
        f"{OUT}/logs/write_config/{{stage}}.log",
    conda:
        ENVIRONMENT
    params:
        content=get_stage,
    shell:
        "printf '%s' {params.content:q} > {output} 2> {log}"
