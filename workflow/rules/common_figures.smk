# The helpers of the rules that draw: what each figure is drawn of.
import shlex

# What is not comparable with published figures says so in every figure.
MICRO_WORLD = "" if EXPERIMENT.comparable else f"--micro-world {EXPERIMENT.scale}"


def get_shown(figure, runs, seeds=SEEDS):
    """The samples of the benchmarks that a figure shows, and the answers of `runs` to them."""
    shown = jobs.evaluate(EXPERIMENT, runs, figure.benchmarks, seeds)
    return {
        "samples": get_samples(figure.benchmarks),
        "predictions": get_evaluated("predictions", shown),
    }


# Every figure: its title in the report, and what it is drawn of by the options of its command.
DRAWN = {
    "examples": (
        "Figure 3: questions before and after training",
        get_shown(
            SHOWN.examples,
            SHOWN.examples.runs,
            {run: seeds[:1] for run, seeds in SEEDS.items()},
        ),
    ),
    "figure_4": (
        "Figure 4: KL term and negative points",
        {"training": get_trainings(SHOWN.figure_4.kl)}
        | get_shown(SHOWN.figure_4, [SHOWN.figure_4.any, SHOWN.figure_4.inside]),
    ),
    "ablations": (
        "Ablations: Tables 4 and 5",
        {
            "tables": [
                f"{OUT}/config/table/{name}.yaml"
                for name in EXPERIMENT.published.ablations
            ],
            "metrics": [
                path
                for name in EXPERIMENT.published.ablations
                for path in get_shown_metrics(name)
            ],
        },
    ),
    "histograms": (
        "IoU against the tiers of the reward",
        get_shown(SHOWN.histograms, SHOWN.histograms.runs),
    ),
    "lengths": (
        "Lengths of responses and thoughts",
        {"training": get_trainings(run for runs in CURVES.values() for run in runs)}
        | get_shown(SHOWN.lengths, SHOWN.lengths.runs),
    ),
} | {
    f"curves_{name}": (
        f"Training curves: {name.replace('_', ' ').capitalize()}",
        {"training": get_trainings(runs)},
    )
    for name, runs in CURVES.items()
}


def get_drawn(wildcards):
    """What a figure is drawn of."""
    return DRAWN[wildcards.figure][1]


def get_title(wildcards):
    """A figure's title, as the report shows it."""
    return {"figure": DRAWN[wildcards.figure][0]}


def get_drawing(wildcards, input):
    """The figure and its options, as its command takes them."""
    name = "curves" if wildcards.figure.startswith("curves_") else wildcards.figure
    options = [f"--{option} {input[option]}" for option in get_drawn(wildcards)]
    if "samples" in input.keys():
        labels = [EXPERIMENT.labels[Path(file).stem] for file in input.samples]
        options.append(f"--titles {shlex.join(labels)}")
    if name == "examples":
        options.append(f"--root {get_root(wildcards)}")
    return " ".join([name, *options])


def get_world_seed(wildcards):
    """The seed by which the drawn world says what it drew; public data says nothing."""
    world = EXPERIMENT.data.world
    return f"--world-seed {world.seed}" if world else ""
