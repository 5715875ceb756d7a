# The helpers of the rules that answer, score and compare: which files, of which runs and seeds.
def get_imported(wildcards):
    """What a baseline's own code wrote for a benchmark."""
    return BASELINES[wildcards.baseline].predictions[wildcards.benchmark]


def get_needed(wildcards):
    """What a benchmark is scored by."""
    return "mask" if "lisa" in get_protocols(wildcards) else "box"


def get_detector(wildcards):
    """The files of a Grounding DINO."""
    return get_weights(BASELINES[wildcards.baseline].detector)


def get_study(kind):
    """The files of one kind that the studies need, at the studies' seeds."""
    seeds = {BASE: SEEDS[BASE], **jobs.find_study_seeds(EXPERIMENT)}
    tables = EXPERIMENT.published.ablations.values()
    benchmarks = [benchmark for table in tables for benchmark in table.benchmarks]
    return get_evaluated(kind, jobs.evaluate(EXPERIMENT, seeds, benchmarks, seeds))


def get_study_trainings():
    """The training metrics of the studies' runs, at the studies' seeds."""
    seeds = jobs.find_study_seeds(EXPERIMENT)
    return get_trainings(seeds, seeds)


def get_config_dir(wildcards):
    """The folder of the configuration."""
    return WORKFLOW.config_dir


def get_results(wildcards):
    """The folder of the scale's results."""
    return OUT


@cache
def list_together(run):
    """The benchmarks that one job answers of a run, and a name of this list: of one size, as a
    file's name has a longest. Another list is another name, since Snakemake can ask a job for all
    that it has written and not for what is missing of it."""
    shown = {one.benchmark: None for one in EVALUATIONS if one.run == run}
    if EXPERIMENT.evaluated_together == "benchmark" or len(shown) < 2:
        return [], None
    return [*shown], f"all-{hashlib.sha256('+'.join(shown).encode()).hexdigest()[:8]}"


def list_asked(wildcards):
    """The benchmarks that a job of prediction answers."""
    shown, name = list_together(wildcards.run)
    return shown if wildcards.asked == name else [wildcards.asked]


def get_asked(kind):
    """The files of one kind, a benchmark's each, that a job of prediction reads."""

    def find(wildcards):
        folder = get_images(wildcards) if kind == "images" else kind
        return [f"{OUT}/{folder}/{name}.parquet" for name in list_asked(wildcards)]

    return find


def get_answered(wildcards, output):
    """The files, a benchmark's each, that a job of prediction writes."""
    if not TOGETHER:
        return output
    return [f"{output}/{name}.parquet" for name in list_asked(wildcards)]


def get_together(wildcards):
    """The folder of what one job answers where `benchmark` is asked of a run."""
    shown, name = list_together(wildcards.run)
    asked = name if wildcards.benchmark in shown else wildcards.benchmark
    return f"{OUT}/predictions/{wildcards.run}/seed_{wildcards.seed}/together/{asked}"


def get_protocols(wildcards):
    """How a benchmark is scored: boxes on LISA-Grounding, masks by either protocol elsewhere; both
    on data of one's own, where it has masks."""
    masks, boxes = "--protocol seg_zero --protocol lisa", "--protocol rec"
    if wildcards.benchmark in OWN:
        return boxes if OWN[wildcards.benchmark].target == "box" else f"{masks} {boxes}"
    dataset = EXPERIMENT.benchmarks[wildcards.benchmark].dataset
    return boxes if dataset == "lisa_grounding" else masks


def get_scored_objects(wildcards):
    """All objects of a benchmark's images, where they are annotated."""
    return get_objects([wildcards.benchmark])


def get_compared(wildcards):
    """The overlaps of the runs that are compared with a baseline, at all their seeds."""
    return get_scores(
        "overlaps",
        COMPARISONS[wildcards.baseline, wildcards.benchmark],
        [wildcards.benchmark],
    )


def get_baseline(wildcards):
    """The overlaps of a baseline, at all its seeds."""
    return get_scores("overlaps", [wildcards.baseline], [wildcards.benchmark])
