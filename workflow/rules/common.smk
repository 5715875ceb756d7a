# What the rules share: the validated configuration, the names of runs, and the `get_*` helpers.
import hashlib
import os
import shlex
import sys
from functools import cache
from pathlib import Path

from samr1.config import jobs
from samr1.config.base import slice_of
from samr1.config.baselines import detect_stage
from samr1.config.data import DrawStage, SamplesStage
from samr1.config.datasets import load_datasets
from samr1.config.errors import read_mapping
from samr1.config.merge import WorkflowConfig, load_experiment
from samr1.config.names import BASE, METHOD
from samr1.config.schema import dump_stage, parse_config
from samr1.core.errors import UserError
from samr1.core.hub import HubName, locate
from samr1.core.signals import pass_on_warnings
from samr1.core.sources import find_sources
from samr1.core.tree import find_newest

# The Snakemake of a cluster's job hears that its time is nearly up, and tells the processes below;
# who has no answer to it, as the shell of the job, ignores it.
pass_on_warnings()

# Jobs use the interpreter that runs Snakemake, whatever is first on the path.
shell.prefix(
    "trap '' USR1; set -euo pipefail; "
    f'export PATH={shlex.quote(os.path.dirname(sys.executable))}:"$PATH"; '
)

try:
    for file in workflow.configfiles:
        read_mapping(Path(file))  # of two equal keys Snakemake takes the last
    WORKFLOW = parse_config(
        dict(config), WorkflowConfig, "config/config.yaml or --config"
    )
    EXPERIMENT = load_experiment(Path(WORKFLOW.config_dir), WORKFLOW.scale)
    DATASETS = load_datasets(Path(WORKFLOW.config_dir, "datasets.yaml"))
    COMPARISONS = jobs.list_comparisons(EXPERIMENT)
except UserError as error:
    sys.exit(f"error: {error}")

# Used where Snakemake is asked to deploy software itself (`--software-deployment-method conda`).
ENVIRONMENT = "../../envs/cuda.yaml" if EXPERIMENT.gpus else "../../envs/cpu.yaml"
# A job that was promised a GPU never goes on without one.
DEVICE = "cuda" if EXPERIMENT.gpus else "cpu"

RUNS = EXPERIMENT.runs
OUT = f"{WORKFLOW.results}/{WORKFLOW.scale}"
TABLES = f"{OUT}/tables"
FIGURES = f"{OUT}/figures"
WORLD = f"{OUT}/world"
# What reads originals needs the drawn world; public data is there since its samples were indexed.
DRAWN_WORLD = WORLD if EXPERIMENT.data.world else []
MIRROR_IMAGES = f"{EXPERIMENT.data.root}/mirror_images"
COUNTS = "--check-counts" if EXPERIMENT.data.check_counts else "--no-check-counts"

BASELINES = EXPERIMENT.baselines
IMPORTED = [name for name, one in BASELINES.items() if one.predictions]
DETECTORS = [name for name, one in BASELINES.items() if one.detector]
SHOWN = EXPERIMENT.published.figures
SEEDS = jobs.find_seeds(EXPERIMENT)
EVALUATIONS = jobs.list_evaluations(EXPERIMENT)
CURVES = jobs.list_curves(EXPERIMENT)
# Data of one's own by the runs that are trained on it. The test part is a benchmark of its name.
OWN = EXPERIMENT.own_data
OWN_RUNS = jobs.list_own(EXPERIMENT)
BENCHMARKS = [*EXPERIMENT.benchmarks, *OWN]


def get_names(names):
    """A wildcard constraint that admits exactly `names`."""
    return "|".join(re.escape(name) for name in names) or "(?!)"


def get_evaluated(kind, evaluations):
    """The files of one kind (`predictions`, `overlaps` or `metrics`) of some evaluations."""
    return [
        f"{OUT}/{kind}/{run}/seed_{seed}/{benchmark}.parquet"
        for run, seed, benchmark in evaluations
    ]


def get_scores(kind, runs, benchmarks):
    """The files of one kind for `runs` on `benchmarks`, at all their seeds."""
    return get_evaluated(kind, jobs.evaluate(EXPERIMENT, runs, benchmarks, SEEDS))


def get_trainings(runs, seeds=SEEDS):
    """The training metrics of `runs`, each once, at all their seeds."""
    return [
        f"{OUT}/training/{run}/seed_{seed}.parquet"
        for run, seed in jobs.train(runs, seeds)
    ]


def get_option(option):
    """An input as the option of that name; nothing where there is none of it."""

    def find(wildcards, input):
        given = input[option.replace("-", "_")]
        return f"--{option} {given}" if given else ""

    return find


def get_code(command):
    """The files that a cheap rule's command is made of: an edit there runs it again."""
    return [str(path) for path in find_sources(f"samr1.cli.{command}", Path("src"))]


def get_files(folder):
    """The files of a folder, so that a change in one is seen; the folder where it is missing."""
    files = sorted(str(path) for path in Path(folder).glob("*") if path.is_file())
    return files or [folder]


def get_weights(model):
    """A model's files as inputs; a name on the model hub is no file, and a policy that is trained
    here is the folder that its training writes, whether it is there yet or not."""
    path, trained = locate(model.path), Path(OUT, "policies")
    if isinstance(path, HubName):
        return []
    if path.resolve().is_relative_to(trained.resolve()):
        return [str(trained / path.resolve().relative_to(trained.resolve()))]
    return get_files(model.path)


def find_run(wildcards):
    """The run of a job; of one that has none the base, which shares its segmenter and threads."""
    return RUNS[CHECKED.get(wildcards.get("models"), wildcards.get("run", BASE))]


def get_segmenter(wildcards):
    """The segmenter's files."""
    return get_weights(find_run(wildcards).segmenter)


def get_base_policy(wildcards):
    """The files of the policy that training starts from."""
    return get_weights(find_run(wildcards).policy)


def name_models(run):
    """The name of a run's policy and segmenter, as they are set: the same for all that have both."""
    settings = dump_stage(run.policy) + dump_stage(run.segmenter)
    digest = hashlib.sha256(settings.encode()).hexdigest()
    return f"{Path(run.policy.path).name.partition('@')[0][:40]}-{digest[:8]}"


# By each pair's name the run that it is checked as: the first, and rather one that is trained, whose
# check tries that too. No page has that run's name, so that another one put above it trains nothing.
CHECKED = {
    name_models(RUNS[run]): run
    for run in reversed(sorted(RUNS, key=lambda run: not RUNS[run].trained))
}


def get_check(wildcards):
    """The page of the check of a run's models."""
    return f"{OUT}/checks/{name_models(RUNS[wildcards.run])}.md"


def get_checked_config(wildcards):
    """The predict stage of the run that a pair of models is checked as."""
    return f"{OUT}/config/predict/{CHECKED[wildcards.models]}.yaml"


def get_training_config(wildcards):
    """The train stage of that run at its first seed; nothing where it is not trained."""
    run = CHECKED[wildcards.models]
    if not RUNS[run].trained:
        return []
    return f"{OUT}/config/train/{run}/seed_{EXPERIMENT.seeds[0]}.yaml"


def get_checkpoint_steps(wildcards):
    """How often a training of the run is kept."""
    return RUNS[wildcards.run].train.checkpoint_steps


def get_policy(wildcards):
    """The files of the policy to evaluate: the trained one, or the base."""
    if RUNS[wildcards.run].trained:
        return f"{OUT}/policies/{wildcards.run}/seed_{wildcards.seed}"
    return get_base_policy(wildcards)


def get_policy_path(wildcards):
    """Folder or hub name of the policy to evaluate."""
    run = RUNS[wildcards.run]
    return get_policy(wildcards) if run.trained else run.policy.path


def get_threads(wildcards):
    """Torch threads of one process of a model job: part of the config, so that bytes agree."""
    return find_run(wildcards).threads


def get_cores(wildcards):
    """Cores of a model job: on GPUs all of them, so that a plain local run has one job a node: a job
    of one GPU takes the first that it sees, and two would meet there."""
    return workflow.cores if EXPERIMENT.gpus else get_threads(wildcards)


def get_stage(wildcards):
    """The text of one stage's config file: its own slice of the configuration and no more."""
    stage, name, seed, *_ = [*Path(wildcards.stage).parts, "", ""]
    run = RUNS.get(name, RUNS[BASE])
    slices = {
        "world": lambda: EXPERIMENT.data.world,
        "detect": lambda: detect_stage(name, BASELINES[name], run),
        "samples": lambda: get_samples_stage(name),
        "draw": lambda: DrawStage(**slice_of(DrawStage, EXPERIMENT.data.training)),
        "own_data": lambda: OWN[name].stage(name),
        "table": lambda: EXPERIMENT.table_stage(name),
        "train": lambda: run.model_copy(
            update={"seed": int(seed.removeprefix("seed_"))}
        ).train_stage(),
        "predict": run.predict_stage,
        "score": run.score_stage,
    }
    # How often a training is kept changes nothing that it comes to.
    unused = {"train": {"checkpoint_steps"}} if stage == "train" else None
    return dump_stage(slices[stage](), unused)


def force_outdated(wildcards):
    """No file; but a config file that says something else than the configuration is written again.

    Snakemake knows a changed parameter by .snakemake alone, which does not move with the results
    and which another clone does not have. What counts is what stands in the file.
    """
    file = Path(f"{OUT}/config/{wildcards.stage}.yaml")
    if file.is_file() and file.read_bytes() != get_stage(wildcards).encode():
        workflow.dag.forcefiles.add(str(file))
    return []


# How many training questions are drawn, and of what: `640` of the pool, `photos-all` of one's own.
DRAW = rf"(?:\d+|(?:{get_names(OWN)})-(?:all|\d+))"


wildcard_constraints:
    run=get_names(RUNS),
    models=get_names(CHECKED),
    seed=r"\d+",
    benchmark=get_names(BENCHMARKS),
    own=get_names(OWN),
    table=get_names(EXPERIMENT.published.tables),
    samples=rf"{get_names(['pool', *BENCHMARKS])}|(?:{get_names(OWN)})-train|training_{DRAW}",
