"""Print what a scale needs of memory, disk and time, with the arithmetic; no GPU and no weights.

Exit code 1 where it does not fit, with one sentence that says what to change.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from samr1.cli.parser import Parser
from samr1.config.datasets import load_datasets
from samr1.config.errors import read_mapping
from samr1.config.jobs import (
    JobList,
    evaluate,
    find_seeds,
    list_evaluations,
    list_trainings,
    train,
)
from samr1.config.merge import Experiment, WorkflowConfig, find_run, load_experiment
from samr1.config.schema import RunConfig, parse_config
from samr1.core.errors import UserError, run_command
from samr1.core.hub import cache_folder
from samr1.planning.disk import Place, plan_disk
from samr1.planning.fit import (
    available_memory,
    does_not_fit,
    evaluation_does_not_fit,
    with_rank,
)
from samr1.planning.hours import plan_hours, plan_step
from samr1.planning.job import Job, describe_job
from samr1.planning.memory import plan_evaluation, plan_host, plan_memory
from samr1.planning.page import disk_page, evaluation_page, memory_page, time_page
from samr1.planning.rates import GPUS, Rates, calculated, read_measured
from samr1.planning.splits import count_indexed, find_splits


def main() -> None:
    """Parse, load, plan, print."""
    parser = Parser(prog="python -m samr1.cli.plan", description=__doc__)
    parser.add_argument(
        "--config",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="as Snakemake's: scale, config_dir, results",
    )
    parser.add_argument("--run", help="one run of runs.yaml, trained or not (default: the scale)")
    parser.add_argument("--gpus", type=int, help="of a training job (default: the scale's)")
    parser.add_argument("--gpu", choices=GPUS, default="a100", help="(default: %(default)s)")
    parser.add_argument(
        "--measured", type=Path, metavar="FILE", help="plan with the rates of this check_gpu.json"
    )
    parser.add_argument("--gpu-memory", type=float, metavar="GB", help="(default: the GPU's)")
    parser.add_argument(
        "--lora-rank",
        type=int,
        metavar="R",
        help="of train.lora, which it switches on (default: the run's)",
    )
    arguments = parser.parse_args()
    for name in ("gpus", "gpu_memory", "lora_rank"):
        if (value := getattr(arguments, name)) is not None and not 0 < value <= 1_000_000:
            parser.error(f"--{name.replace('_', '-')} must be above 0 and at most 1,000,000")
    rates = calculated(GPUS[arguments.gpu])
    if arguments.measured:
        rates = read_measured(arguments.measured, rates)
    choice = _choose(arguments.config)
    experiment = _count_own(load_experiment(Path(choice.config_dir), choice.scale), choice)
    _plan(experiment, _list_jobs(experiment, arguments.run), choice, rates, arguments)


def _count_own(experiment: Experiment, choice: WorkflowConfig) -> Experiment:
    """With the training questions of data of one's own as many as were indexed, if they were."""
    runs = dict(experiment.runs)
    for name, run in experiment.runs.items():
        if run.data is None or run.train.samples is not None:
            continue
        if (drawn := count_indexed(_samples(choice) / f"{run.data}-train.parquet")) is not None:
            known = run.train.model_copy(update={"samples": drawn.samples})
            runs[name] = run.model_copy(update={"train": known})
    return experiment.model_copy(update={"runs": runs})


def _samples(choice: WorkflowConfig) -> Path:
    """The folder where the workflow keeps the scale's samples."""
    return Path(choice.results, choice.scale, "samples")


def _list_jobs(experiment: Experiment, run: str | None) -> JobList:
    """All jobs of the scale, or those of one run, which is trained here whatever it says itself."""
    evaluations = list_evaluations(experiment)
    if run is None:
        return JobList(list_trainings(experiment), evaluations)
    own, seeds = find_run(experiment, run).data, find_seeds(experiment)
    asked = [one for one in evaluations if one.run == run]
    asked += evaluate(experiment, [run], [own] if own else [], seeds)
    return JobList(train([run], seeds), asked)


def _plan(
    experiment: Experiment,
    planned: JobList,
    choice: WorkflowConfig,
    rates: Rates,
    arguments: argparse.Namespace,
) -> None:
    """Print all pages; raises UserError with the first thing that does not fit."""
    processes = arguments.gpus or experiment.processes
    cuda = bool(arguments.gpus or experiment.gpus)
    room = available_memory() / processes
    if cuda:
        room = 1e9 * (arguments.gpu_memory or GPUS[arguments.gpu].gigabytes)
    jobs: dict[str, Job] = {}
    for name in dict.fromkeys(one.run for one in planned.trainings):
        stage, rank = experiment.runs[name].train_stage(), arguments.lora_rank
        jobs[name] = describe_job(with_rank(stage, rank) if rank else stage, processes, cuda)
    job = max(jobs.values(), key=lambda job: plan_memory(job).needed)
    memory = plan_memory(job)
    datasets = load_datasets(Path(choice.config_dir) / "datasets.yaml")
    splits = find_splits(experiment, _samples(choice))
    places = plan_disk(experiment, datasets, planned, job, splits, Path(choice.results))
    run, evaluating = _largest_evaluation(experiment, planned, cuda)
    answers = plan_evaluation(evaluating, run.evaluation)
    pages = [
        memory_page(job, memory, room, plan_host(job)),
        evaluation_page(run, answers, room),
        disk_page(places),
    ]
    if cuda:
        step = plan_step(job, rates)
        hours = plan_hours(experiment, planned, jobs, splits, rates, processes)
        pages.append(time_page(step, hours, rates, processes))
    print("\n\n\n".join(pages), flush=True)
    if memory.needed > room:
        raise UserError(does_not_fit(job, memory.needed, room, hardware=True))
    if answers.needed > room:
        raise UserError(evaluation_does_not_fit(run, evaluating, room))
    hypothetical = arguments.gpus or arguments.gpu_memory or arguments.run
    full = [place for place in places if place.needed > place.free]
    if full and not hypothetical:
        raise UserError(_full(full[0], choice))


def _largest_evaluation(
    experiment: Experiment, planned: JobList, cuda: bool
) -> tuple[RunConfig, Job]:
    """The run whose evaluation needs the most memory, and a process of that."""
    runs = [experiment.runs[name] for name in planned.runs]
    found = [(run, describe_job(run.train_stage(), 1, cuda, evaluated=True)) for run in runs]
    return max(found, key=lambda one: plan_evaluation(one[1], one[0].evaluation).needed)


def _full(place: Place, choice: WorkflowConfig) -> str:
    advice = f"put the results on another disk (--config results=FOLDER, now {choice.results})"
    if place.folder == cache_folder():
        advice = "set HF_HOME to a folder on another disk, for this and all later commands"
    elif place.folder != Path(choice.results):
        advice = "name a data.root on another disk in the scale file"
    return (
        f"{place.folder}: {place.needed / 1e9:,.0f} GB are needed and "
        f"{place.free / 1e9:,.0f} GB are free; make room, or {advice}."
    )


def _choose(pairs: list[str]) -> WorkflowConfig:
    """`config/config.yaml` with the pairs on top, as Snakemake merges them."""
    values = read_mapping(Path("config/config.yaml"))
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise UserError(f"--config {pair}: must be KEY=VALUE, as scale=paper.")
        values[key] = value
    return parse_config(values, WorkflowConfig, "config/config.yaml or --config")


if __name__ == "__main__":
    run_command(main)
