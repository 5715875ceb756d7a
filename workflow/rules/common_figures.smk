# The helpers of the rules that draw: which runs stand together, and what the report says of them.
def get_curves(wildcards):
    """The training metrics of the runs that are drawn together."""
    return get_trainings(CURVES[wildcards.curves])


def get_picture(rule, file, title, theme):
    """A figure on a bright or dark ground, as the report shows it: there a switch turns them all.

    A wildcard's value in the title is written as words: `table_4` as Table 4.
    """

    def get_labels(wildcards):
        words = {
            name: value.replace("_", " ").capitalize()
            for name, value in wildcards.items()
        }
        return {"figure": title.format(**words), "theme": theme}

    return report(
        f"{FIGURES}/{file}{'_dark' if theme == 'dark' else ''}.png",
        caption=f"../report/{rule}.rst",
        category="Figures",
        labels=get_labels,
    )


def get_gallery():
    """What the gallery shows, at the first seed: (benchmark, run, predictions), the method first.

    A run is there where the tables have it.
    """
    ablations = [*TABLE_4_RUNS, *TABLE_5_RUNS]
    return [
        (benchmark, run, path)
        for benchmark in EXPERIMENT.benchmarks
        for run in dict.fromkeys(["sam_r1", *MAIN_RUNS, *ablations])
        if run in MAIN_RUNS or benchmark in ABLATION_BENCHMARKS
        for path in get_scores("predictions", [run], [benchmark])[:1]
    ]


def get_gallery_options(wildcards):
    """The same as options of its command."""
    samples = [
        f"--samples {name} {OUT}/samples/{name}.parquet"
        for name in EXPERIMENT.benchmarks
    ]
    return " ".join(
        [*samples, *(f"--predictions {' '.join(one)}" for one in get_gallery())]
    )


def get_world_seed(wildcards):
    """The seed by which the drawn world says what it drew; public data says nothing."""
    world = EXPERIMENT.data.world
    return f"--world-seed {world.seed}" if world else ""
