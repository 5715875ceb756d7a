# The helpers of the rules that answer, score and compare: which files, of which runs and seeds.
def get_metrics(runs, benchmarks):
    """The metrics of `runs` on `benchmarks`."""
    return get_scores("metrics", runs, benchmarks)


def get_baseline_metrics(benchmarks):
    """The metrics of other people's systems on `benchmarks`, as far as each answers them."""
    return [
        f"{OUT}/metrics/{name}/seed_{EXPERIMENT.seeds[0]}/{benchmark}.parquet"
        for name, baseline in BASELINES.items()
        for benchmark in benchmarks
        if baseline.detector or benchmark in baseline.predictions
    ]


def get_imported(wildcards):
    """What a baseline's own code wrote for a benchmark."""
    return BASELINES[wildcards.baseline].predictions[wildcards.benchmark]


def get_needed(wildcards):
    """What a benchmark is scored by."""
    return "box" if "rec" in get_protocols(wildcards) else "mask"


def get_detector(wildcards):
    """The files of a Grounding DINO."""
    return get_weights(BASELINES[wildcards.baseline].detector)


def get_comparisons(baseline, benchmarks):
    """The paired comparisons with `baseline` on `benchmarks`, of all runs in one file each."""
    return [f"{OUT}/comparisons/{baseline}/{name}.parquet" for name in benchmarks]


def get_study(kind):
    """The files of one kind that the studies need, at the studies' seeds."""
    seeds = {
        "base": get_seeds("base"),
        **EXPERIMENT.studies.seeds(EXPERIMENT.scale),
    }
    return get_scores(kind, seeds, ABLATION_BENCHMARKS, seeds.__getitem__)


def get_study_trainings():
    """The training metrics of the studies' runs, at the studies' seeds."""
    seeds = EXPERIMENT.studies.seeds(EXPERIMENT.scale)
    return get_trainings(seeds, seeds.__getitem__)


def get_config_dir(wildcards):
    """The folder of the configuration."""
    return WORKFLOW.config_dir


def get_results(wildcards):
    """The folder of the scale's results."""
    return OUT


def get_shard(wildcards):
    """Which part of a benchmark's questions a job answers, as `2-of-4`."""
    return f"{wildcards.get('shard', 1)}-of-{EXPERIMENT.evaluation_shards}"


def get_shards(kind):
    """The pattern of every shard's file of one kind, to be gathered."""
    count = EXPERIMENT.evaluation_shards
    return [
        f"{OUT}/{kind}/{{run}}/seed_{{seed}}/{{benchmark}}/{number}-of-{count}.parquet"
        for number in range(1, count + 1)
    ]


def get_protocols(wildcards):
    """How a benchmark is scored: boxes on LISA-Grounding, masks by either protocol elsewhere."""
    boxes = EXPERIMENT.benchmarks[wildcards.benchmark].dataset == "lisa_grounding"
    return "--protocol rec" if boxes else "--protocol seg_zero --protocol lisa"


def get_compared(wildcards):
    """The overlaps of the runs that are compared with a baseline, at all their seeds."""
    return get_scores("overlaps", COMPARED[wildcards.baseline], [wildcards.benchmark])


def get_baseline(wildcards):
    """The overlaps of a baseline, at all its seeds."""
    return get_scores("overlaps", [wildcards.baseline], [wildcards.benchmark])
