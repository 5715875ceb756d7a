# The helpers of the rules that draw: what each figure is drawn of.
import shlex

# What is of the drawn world and the tiny models says so in every figure.
MICRO_WORLD = f"--micro-world {EXPERIMENT.scale}" if EXPERIMENT.drawn else ""


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
} | {
    f"curves_{name}": (
        f"Training curves: {name.replace('_', ' ').capitalize()}",
        {"training": get_trainings(runs)},
    )
    for name, runs in CURVES.items()
}


def get_answers(evaluations):
    """What a figure of examples shows: samples, and the answers of first seeds."""
    first = [one for one in evaluations if one.seed == SEEDS[one.run][0]]
    return {
        "samples": get_samples(dict.fromkeys(one.benchmark for one in first)),
        "predictions": get_evaluated("predictions", first),
    }


# The same of data of one's own, `curves-photos`: on its own page, and no figure of the paper.
DRAWN_OWN = {
    f"{kind}-{own}": (f"{title}: {own}", files)
    for own, runs in OWN_RUNS.items()
    for kind, title, files in (
        (
            "examples",
            "Questions before and after training",
            get_answers(jobs.evaluate_own(EXPERIMENT, own)),
        ),
        ("curves", "Training curves", {"training": get_trainings(runs)}),
    )
}


def get_drawn(wildcards):
    """What a figure is drawn of."""
    return (DRAWN | DRAWN_OWN)[wildcards.figure][1]


def get_title(wildcards):
    """A figure's title, as the report shows it."""
    return {"figure": (DRAWN | DRAWN_OWN)[wildcards.figure][0]}


def find_shown(name):
    """The data of one's own that a figure or gallery is of, by its name; None: of the public sets."""
    return name.partition("-")[2] or None


def get_figure_world(wildcards):
    """The drawn world, for a figure of it."""
    return [] if find_shown(wildcards.figure) else DRAWN_WORLD


def get_drawing(wildcards, input):
    """The figure and its options, as its command takes them."""
    name, _, own = wildcards.figure.partition("-")
    name = "curves" if name.startswith("curves_") else name
    options = [f"--{option} {input[option]}" for option in get_drawn(wildcards)]
    if "samples" in input.keys():
        shown = [Path(file).stem for file in input.samples]
        labels = [EXPERIMENT.labels.get(benchmark, benchmark) for benchmark in shown]
        options.append(f"--titles {shlex.join(labels)}")
    if name == "examples":
        options.append(f"--root {find_root(own)}")
    return " ".join([name, *options])


def get_gallery(wildcards):
    """What a gallery shows: all that is in tables and main runs, or of data of one's own."""
    own = find_shown(wildcards.gallery)
    if own:
        return get_answers(jobs.evaluate_own(EXPERIMENT, own)) | {"objects": []}
    return {
        "samples": get_samples(EXPERIMENT.main_benchmarks),
        "objects": get_objects(EXPERIMENT.main_benchmarks),
        "predictions": get_evaluated("predictions", jobs.evaluate_gallery(EXPERIMENT)),
        "world": DRAWN_WORLD,
    }


def get_gallery_options(wildcards):
    """Where a gallery's images are, and what is known of their kinds: the drawn world, by its seed,
    says what it drew; public data says nothing."""
    own, world = find_shown(wildcards.gallery), EXPERIMENT.data.world
    if own:
        return f"--root {find_root(own)}"
    seed = f"--world-seed {world.seed}" if world else ""
    return f"--root {find_root(None)} {seed}"
