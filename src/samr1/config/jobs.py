"""What an experiment trains, evaluates and compares: what the rules run and the plan counts.

Pure functions over an `Experiment`, whose `published` says which run and benchmark stand where.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from samr1.config.merge import Experiment
from samr1.config.names import BASE, METHOD
from samr1.config.schema import RunConfig
from samr1.core.errors import UserError

Seeds = Mapping[str, Sequence[int]]  # by run


class Training(NamedTuple):
    """One training."""

    run: str
    seed: int


class Evaluation(NamedTuple):
    """The answers of one run to one benchmark, and their scores."""

    run: str
    seed: int
    benchmark: str


@dataclass(frozen=True)
class JobList:
    """Trainings and evaluations."""

    trainings: list[Training]
    evaluations: list[Evaluation]

    @property
    def runs(self) -> list[str]:
        """The runs of any of them, each once."""
        trained = [one.run for one in self.trainings]
        return list(dict.fromkeys([*trained, *(one.run for one in self.evaluations)]))


def find_seeds(experiment: Experiment) -> dict[str, tuple[int, ...]]:
    """Every run's seeds; an untrained one answers greedily and has nothing to repeat."""
    seeds = experiment.seeds
    return {name: seeds if run.trained else seeds[:1] for name, run in experiment.runs.items()}


def find_study_seeds(experiment: Experiment) -> dict[str, tuple[int, ...]]:
    """The seeds of every trained run of the studies, those of all its studies together."""
    studies, found = experiment.studies, dict[str, set[int]]()
    ablated = [run for table in experiment.published.ablations.values() for run in table.labels]
    for runs, study in (
        ([METHOD, *ablated], studies.ablations),
        *((study.runs, study) for study in studies.compared),
    ):
        for run in (run for run in runs if experiment.runs[run].trained):
            seeds = study.seeds_at(experiment.family) or ()
            found.setdefault(run, set()).update(seeds)
    return {run: tuple(sorted(seeds)) for run, seeds in found.items()}


def train(runs: Iterable[str], seeds: Seeds) -> list[Training]:
    """The trainings of `runs`, each once, at all their seeds."""
    return [Training(run, seed) for run in dict.fromkeys(runs) for seed in seeds[run]]


def evaluate(
    experiment: Experiment, runs: Iterable[str], benchmarks: Iterable[str], seeds: Seeds
) -> list[Evaluation]:
    """The evaluations of `runs`, each once, on those of `benchmarks` that each is for.

    Which benchmarks a run is for is said of the public ones alone.
    """
    benchmarks = tuple(benchmarks)
    return [
        Evaluation(run, seed, benchmark)
        for run in dict.fromkeys(runs)
        for seed in seeds[run]
        for benchmark in dict.fromkeys(benchmarks)
        if benchmark in (experiment.runs[run].benchmarks or benchmarks)
        or benchmark in experiment.own_data
    ]


def evaluate_table(experiment: Experiment, name: str) -> list[Evaluation]:
    """What table `name` shows: the base and its runs on its benchmarks, and what it says below."""
    table, seeds = experiment.published.tables[name], find_seeds(experiment)
    shown = evaluate(experiment, [BASE, *table.labels], table.benchmarks, seeds)
    below = [*table.gain_on, *table.every_sentence.values()]
    return list(dict.fromkeys([*shown, *evaluate(experiment, [BASE, METHOD], below, seeds)]))


def evaluate_main(experiment: Experiment) -> list[Evaluation]:
    """The method and the tables' untrained models on every main benchmark that each is for."""
    tables = experiment.published.tables.values()
    shown = {BASE, METHOD}.union(*(table.labels for table in tables))
    main = [
        name
        for name, run in experiment.runs.items()
        if name in shown and (name == METHOD or not run.trained)
    ]
    return evaluate(experiment, [METHOD, *main], experiment.main_benchmarks, find_seeds(experiment))


def evaluate_gallery(experiment: Experiment) -> list[Evaluation]:
    """What the gallery shows, the method first: all of the tables and main runs, at one seed.

    On the main benchmarks alone.
    """
    first = {run: seeds[0] for run, seeds in find_seeds(experiment).items()}
    shown = dict.fromkeys([*evaluate_main(experiment), *_evaluate_tables(experiment)])
    benchmarks = experiment.main_benchmarks
    return [one for one in shown if one.seed == first[one.run] and one.benchmark in benchmarks]


def list_evaluations(experiment: Experiment) -> list[Evaluation]:
    """All evaluations of the experiment, the studies' apart."""
    figures, seeds = experiment.published.figures, find_seeds(experiment)
    points = figures.figure_4
    shown = (
        (figures.examples.runs, figures.examples),
        ((points.any, points.inside), points),
    )
    drawn = [
        one
        for runs, figure in shown
        for one in evaluate(experiment, runs, figure.benchmarks, seeds)
    ]
    everything = [*evaluate_main(experiment), *_evaluate_tables(experiment), *drawn]
    return list(dict.fromkeys(everything))


def list_curves(experiment: Experiment) -> dict[str, list[str]]:
    """The runs whose training is drawn together, the method first: it has the first colour."""
    published = experiment.published
    together = {name: list(table.labels) for name, table in published.ablations.items()}
    together["figure_4"] = list(published.figures.figure_4.runs)
    return {
        name: [run for run in dict.fromkeys([METHOD, *runs]) if experiment.runs[run].trained]
        for name, runs in together.items()
    }


def list_trainings(experiment: Experiment) -> list[Training]:
    """All trainings of the experiment, the studies' apart."""
    evaluated = [one.run for one in list_evaluations(experiment)]
    drawn = [run for runs in list_curves(experiment).values() for run in runs]
    trained = [run for run in (*evaluated, *drawn) if experiment.runs[run].trained]
    return train(trained, find_seeds(experiment))


def compare_table(experiment: Experiment, name: str) -> dict[tuple[str, str], list[str]]:
    """By baseline and benchmark: the runs that table `name` holds against that baseline there."""
    table = experiment.published.tables[name]
    found = {(BASE, benchmark): [METHOD] for benchmark in table.gain_on}
    for benchmark in table.benchmarks if table.compared_with else ():
        found.setdefault((str(table.compared_with), benchmark), []).extend(table.labels)
    return found


def list_comparisons(experiment: Experiment) -> dict[tuple[str, str], list[str]]:
    """By baseline and benchmark: the runs that are held against that baseline there, each once."""
    found: dict[tuple[str, str], list[str]] = {}
    for name in experiment.published.tables:
        for place, runs in compare_table(experiment, name).items():
            known = found.setdefault(place, [])
            known += [run for run in dict.fromkeys(runs) if run not in (place[0], *known)]
    for data in list_own(experiment):
        for run, base in compare_own(experiment, data):
            found.setdefault((base, data), []).append(run)
    return found


def list_own(experiment: Experiment) -> dict[str, list[str]]:
    """By data set of one's own: the runs that are trained on it, if there are any."""
    found: dict[str, list[str]] = {}
    for name, run in experiment.runs.items():
        if run.data is not None:
            found.setdefault(run.data, []).append(name)
    return found


def find_base(experiment: Experiment, run: str) -> str:
    """The untrained run of the policy that `run` begins as, rather one that is asked as it is.

    Raises UserError where there is none.
    """
    mine = experiment.runs[run]
    same = [
        name
        for name, one in experiment.runs.items()
        if not one.trained and _list_answering(one) == _list_answering(mine)
    ]
    if not same:
        raise UserError(
            f"run {run}: no untrained run has its policy.path, image_size and dtype, its segmenter "
            "and its evaluation.max_response_tokens, to show what it is before training; add one "
            f"to runs.yaml: {run}_base: {{trained: false}} with what {run} says of `policy`, "
            "`segmenter` and `evaluation`."
        )
    return min(same, key=lambda name: experiment.runs[name].dialect != mine.dialect)


def _list_answering(run: RunConfig) -> tuple[object, ...]:
    """What answers depend on beside weights and dialect, of which the page tells another."""
    policy, longest = run.policy, run.evaluation.max_response_tokens
    return policy.path, policy.image_size, policy.dtype, run.segmenter, longest


def compare_own(experiment: Experiment, data: str) -> list[tuple[str, str]]:
    """(run, base) of every run that is trained on data of one's own."""
    return [(run, find_base(experiment, run)) for run in list_own(experiment)[data]]


def list_other_prompts(experiment: Experiment, data: str) -> list[tuple[str, str, str, str]]:
    """(base, its dialect, run, its dialect) of every run that is asked otherwise than its base."""
    dialects = {name: run.dialect for name, run in experiment.runs.items()}
    pairs = compare_own(experiment, data)
    asked = [(base, dialects[base], run, dialects[run]) for run, base in pairs]
    return [one for one in asked if one[1] != one[3]]


def evaluate_own(experiment: Experiment, data: str) -> list[Evaluation]:
    """The evaluations of data of one's own: of the runs that are trained on it, and their bases."""
    pairs = compare_own(experiment, data)
    runs = [*(base for _, base in pairs), *(run for run, _ in pairs)]
    return evaluate(experiment, runs, [data], find_seeds(experiment))


def _evaluate_tables(experiment: Experiment) -> list[Evaluation]:
    tables = experiment.published.tables
    return [one for name in tables for one in evaluate_table(experiment, name)]
