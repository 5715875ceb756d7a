# What the rules share: the validated configuration, the names of runs, and the `get_*` helpers.
import os
import sys
from pathlib import Path

from samr1.config.schema import dump_stage, parse_config
from samr1.config.baselines import check_baselines, detect_stage, load_baselines
from samr1.config.datasets import load_datasets
from samr1.config.merge import WorkflowConfig, load_experiment
from samr1.core.errors import UserError
from samr1.core.hub import HubName, locate
from samr1.core.signals import pass_on_warnings
from samr1.report.tables.published import load_published, published_methods

# The Snakemake of a cluster's job hears that its time is nearly up, and tells the processes below;
# who has no answer to it, as the shell of the job, ignores it.
pass_on_warnings()

# Jobs use the interpreter that runs Snakemake, whatever is first on the path.
shell.prefix(
    "trap '' USR1; set -euo pipefail; "
    f"export PATH={os.path.dirname(sys.executable)}:$PATH; "
)

try:
    WORKFLOW = parse_config(
        dict(config), WorkflowConfig, "config/config.yaml or --config"
    )
    EXPERIMENT = load_experiment(Path(WORKFLOW.config_dir), WORKFLOW.scale)
    DATASETS = load_datasets(Path(WORKFLOW.config_dir, "datasets.yaml"))
    PUBLISHED = f"{WORKFLOW.config_dir}/published.yaml"
    BASELINES_FILE = f"{WORKFLOW.config_dir}/baselines.yaml"
    BASELINES = load_baselines(Path(BASELINES_FILE), WORKFLOW.scale)
    check_baselines(
        Path(BASELINES_FILE),
        BASELINES,
        EXPERIMENT.runs,
        EXPERIMENT.benchmarks,
        published_methods(load_published(Path(PUBLISHED))),
    )
except UserError as error:
    sys.exit(f"error: {error}")

# Used where Snakemake is asked to deploy software itself (`--software-deployment-method conda`).
ENVIRONMENT = "../../envs/cuda.yaml" if EXPERIMENT.gpus else "../../envs/cpu.yaml"

RUNS = EXPERIMENT.runs
OUT = f"{WORKFLOW.results}/{WORKFLOW.scale}"
TABLES = f"{WORKFLOW.results}/tables"
FIGURES = f"{OUT}/figures"
WORLD = f"{OUT}/world"
# What reads originals needs the drawn world; public data is there since its samples were indexed.
DRAWN_WORLD = WORLD if EXPERIMENT.data.world else []
MIRROR_IMAGES = f"{EXPERIMENT.data.root}/mirror_images"
COUNTS = "--check-counts" if EXPERIMENT.data.check_counts else "--no-check-counts"

# The untrained models (where their `benchmarks` do not say fewer) and the method itself are evaluated
# on every benchmark, the ablations on two.
MAIN_RUNS = [name for name, run in RUNS.items() if not run.trained or name == "sam_r1"]
TABLE_4_RUNS = ["threshold_0.5", "threshold_0.7", "threshold_0.8", "sam_r1"]
TABLE_5_RUNS = ["grpo", "grpo_token_level", "grpo_clip_higher", "sam_r1"]
FIGURE_4_RUNS = ["no_kl", "negative_points_any", "negative_points_inside"]
IMPORTED = [name for name, one in BASELINES.items() if one.predictions]
DETECTORS = [name for name, one in BASELINES.items() if one.detector]
TABLE_RUNS = "--runs " + " ".join(RUNS)
TABLE_1_BENCHMARKS = ["reasonseg_val", "reasonseg_test"]
TABLE_2_BENCHMARKS = ["refcoco_testa", "refcocop_testa", "refcocog_test"]
TABLE_3_BENCHMARKS = ["lisa_grounding"]
ABLATION_BENCHMARKS = ["reasonseg_test", "refcocog_test"]
# Paired comparisons: a baseline, and the runs that are held against it.
ABLATED_RUNS = [name for name in TABLE_4_RUNS + TABLE_5_RUNS if name != "sam_r1"]
COMPARED = {"base": ["sam_r1"], "sam_r1": ABLATED_RUNS}
# The runs whose training is drawn together, the method's own first: it has the first colour.
CURVES = {
    "table_4": ["sam_r1", *TABLE_4_RUNS],
    "table_5": ["sam_r1", *TABLE_5_RUNS],
    "figure_4": ["sam_r1", *FIGURE_4_RUNS],
}


def get_names(names):
    """A wildcard constraint that admits exactly `names`."""
    return "|".join(re.escape(name) for name in names) or "(?!)"


def get_seeds(run):
    """The seeds of a run; an untrained one answers greedily and has nothing to repeat."""
    if run not in RUNS:
        sys.exit(
            f"error: {WORKFLOW.config_dir}/runs.yaml: has no run {run} at scale {WORKFLOW.scale}, and "
            "workflow/rules/common.smk asks for it; add the run, or remove it there."
        )
    return EXPERIMENT.seeds if RUNS[run].trained else EXPERIMENT.seeds[:1]


def get_scores(kind, runs, benchmarks, seeds_of=get_seeds):
    """The files of one kind for `runs` on `benchmarks`, at all their seeds."""
    return [
        f"{OUT}/{kind}/{run}/seed_{seed}/{benchmark}.parquet"
        for run in runs
        for seed in seeds_of(run)
        for benchmark in benchmarks
        if benchmark in (RUNS[run].benchmarks or benchmarks)
    ]


def get_trainings(runs, seeds_of=get_seeds):
    """The training metrics of `runs`, each once, at all their seeds."""
    return [
        f"{OUT}/training/{run}/seed_{seed}.parquet"
        for run in dict.fromkeys(runs)
        for seed in seeds_of(run)
    ]


def get_code(room, *commands):
    """The module files of a cheap rule: an edit there runs it again."""
    modules = sorted(str(path) for path in Path("src/samr1", room).glob("*.py"))
    return [*modules, *(f"src/samr1/cli/{command}.py" for command in commands)]


def get_files(folder):
    """The files of a folder, so that a change in one is seen; the folder where it is missing."""
    files = sorted(str(path) for path in Path(folder).glob("*") if path.is_file())
    return files or [folder]


def get_weights(model):
    """A model's files as inputs; a name on the model hub is no file."""
    return [] if isinstance(locate(model.path), HubName) else get_files(model.path)


def get_segmenter(wildcards):
    """The segmenter's files."""
    return get_weights(RUNS[wildcards.run].segmenter)


def get_base_policy(wildcards):
    """The files of the policy that training starts from."""
    return get_weights(RUNS[wildcards.run].policy)


def get_check(wildcards):
    """The page of the check of a run's models: the first run that has the same writes it."""
    models = [(run.policy, run.segmenter) for run in RUNS.values()]
    same = models.index((RUNS[wildcards.run].policy, RUNS[wildcards.run].segmenter))
    return f"{OUT}/checks/{list(RUNS)[same]}.md"


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
    return RUNS[wildcards.run].threads


def get_cores(wildcards):
    """Cores of a model job: on GPUs all of them, so that a plain local run has one job a node."""
    return workflow.cores if EXPERIMENT.gpus else get_threads(wildcards)


def get_stage(wildcards):
    """The text of one stage's config file: its own slice of the configuration and no more."""
    stage, *of_run = Path(wildcards.stage).parts
    if stage == "world":
        return dump_stage(EXPERIMENT.data.world)
    if stage == "detect":
        name = of_run[0]
        return dump_stage(detect_stage(name, BASELINES[name], RUNS["base"]))
    run = RUNS[of_run[0]] if of_run[0] in RUNS else RUNS["base"]
    if stage == "train":
        seed = int(of_run[1].removeprefix("seed_"))
        return dump_stage(run.model_copy(update={"seed": seed}).train_stage())
    return dump_stage(run.predict_stage() if stage == "predict" else run.score_stage())


wildcard_constraints:
    run=get_names(RUNS),
    seed=r"\d+",
    shard=r"\d+",
    benchmark=get_names(EXPERIMENT.benchmarks),
    curves=get_names(CURVES),
    samples=get_names(["pool", *EXPERIMENT.benchmarks]) + r"|training_\d+",
