# The helpers of the rules of data of one's own: what its pages are made of.
def get_own_files(wildcards):
    """What of data of one's own is looked at for changes: the newest of all that lies in its folder."""
    return find_own_newest(Path(OWN[wildcards.own].root)) or []


# Once a data set: every rule that reads it asks.
find_own_newest = cache(find_newest)


def get_part(wildcards):
    """The part of data of one's own that a table of samples holds: its test part has its name."""
    return wildcards.part.removeprefix("-") or "test"


def get_own_evaluated(kind):
    """The files of one kind of all that is evaluated on it: the bases, and the runs trained on it."""

    def find(wildcards):
        return get_evaluated(kind, jobs.evaluate_own(EXPERIMENT, wildcards.own))

    return find


def get_own_comparisons(wildcards):
    """Its paired comparisons, of each base with all that began as it."""
    bases = (base for _, base in jobs.compare_own(EXPERIMENT, wildcards.own))
    return [
        f"{OUT}/comparisons/{base}/{wildcards.own}.parquet"
        for base in dict.fromkeys(bases)
    ]


def get_other_prompts(wildcards):
    """Which of its runs are asked otherwise than their bases."""
    found = jobs.list_other_prompts(EXPERIMENT, wildcards.own)
    return [f"--asked-otherwise {' '.join(one)}" for one in found]


def get_own_policies(wildcards):
    """The folders of the policies that are trained on it, at their first seeds."""
    first = [(run, SEEDS[run][0]) for run in OWN_RUNS[wildcards.own]]
    return [f"{OUT}/policies/{run}/seed_{seed}" for run, seed in first]


def get_all_own(wildcards):
    """The pages of all data of one's own that a run is trained on."""
    if not OWN_RUNS:
        raise WorkflowError(
            f"no run of {WORKFLOW.config_dir}/runs.yaml is trained on data of your own; "
            "add one, such as my_run: {data: photos} (config/own_data.md)."
        )
    return expand(rules.report_own.output, own=OWN_RUNS)
