# The helpers of the tables' rules: what each table shows, as files.
def get_table(wildcards):
    """A table as config/published.yaml has it, without the runs that the scale does not have."""
    return EXPERIMENT.published.tables[wildcards.table]


def get_shown_metrics(name):
    """The metrics of the runs that a table shows, and of other people's systems that answer to it."""
    benchmarks = EXPERIMENT.published.tables[name].benchmarks
    theirs = [
        (system, EXPERIMENT.seeds[0], benchmark)
        for system, one in BASELINES.items()
        for benchmark in benchmarks
        if one.detector or benchmark in one.predictions
    ]
    return get_evaluated("metrics", [*jobs.evaluate_table(EXPERIMENT, name), *theirs])


def get_table_metrics(wildcards):
    """The same, of the table that is made."""
    return get_shown_metrics(wildcards.table)


def get_table_comparisons(wildcards):
    """The paired comparisons that a table shows, of all runs in one file each."""
    return [
        f"{OUT}/comparisons/{baseline}/{benchmark}.parquet"
        for baseline, benchmark in jobs.compare_table(EXPERIMENT, wildcards.table)
    ]


def get_table_trainings(wildcards):
    """The training metrics of the runs of a table that says how clipping acted."""
    table = get_table(wildcards)
    runs = [run for run in table.labels if RUNS[run].trained]
    return get_trainings(runs) if table.clipping else []


def get_table_samples(wildcards):
    """The samples of the main benchmarks, for a table that says what training has seen of them."""
    benchmarks = EXPERIMENT.main_benchmarks
    return get_samples(benchmarks) if get_table(wildcards).overlap else []


def get_table_training_samples(wildcards):
    """The method's training sample, for the same."""
    return get_training("samples", METHOD) if get_table(wildcards).overlap else []


def get_table_label(wildcards):
    """A table's name as the report shows it."""
    return {"table": wildcards.table.replace("_", " ").capitalize()}
