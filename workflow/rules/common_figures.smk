# The helpers of the rules that draw: which runs stand together, and what the report says of them.
def get_curves(wildcards):
    """The training metrics of the runs that are drawn together."""
    return get_trainings(CURVES[wildcards.curves])


# What is not comparable with published figures says so in every figure.
MICRO_WORLD = "" if EXPERIMENT.comparable else f"--micro-world {EXPERIMENT.scale}"


def get_titles(benchmarks):
    """The benchmarks' names as readers know them."""
    return [EXPERIMENT.labels[name] for name in benchmarks]


def get_shown(figure, runs):
    """The answers of `runs` that a figure shows, at all their seeds."""
    return get_scores("predictions", runs, figure.benchmarks)


def get_examples():
    """The answers of the picture of examples, of each run at its first seed."""
    first = {run: seeds[:1] for run, seeds in SEEDS.items()}
    examples = SHOWN.examples
    return jobs.evaluate(EXPERIMENT, examples.runs, examples.benchmarks, first)


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
    """What the gallery shows, at the first seed: (benchmark, run, predictions), the method first."""
    shown = jobs.evaluate_gallery(EXPERIMENT)
    paths = get_evaluated("predictions", shown)
    return [(one.benchmark, one.run, path) for one, path in zip(shown, paths)]


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
