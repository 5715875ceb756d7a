"""The GRPO loop of SAM-R1: rollout, reward by SAM, group advantages, clipped updates.

Start it with `python -m samr1.cli.train_policy`. Section 3 of the paper, with the choices that it
leaves open: the old log-probabilities are those of the weights that sampled; the reference is the
initial policy (with adapters, the policy without them); its KL is also measured where its
coefficient is 0; an update takes all questions of the step, or `train.questions_per_update` of
them, and an update's questions weigh the same however they fall into passes and processes.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from tqdm import tqdm

from samr1.config.names import Tracker
from samr1.config.schema import TrainStage
from samr1.core.bars import bar_interval
from samr1.core.device import DeviceKind, any_order, wait_for
from samr1.core.errors import Stopped, UserError, printable
from samr1.core.prefetch import prefetch
from samr1.core.stopwatch import Stopwatch
from samr1.data.resizing import ImageStore
from samr1.policy.model import Policy, save_policy
from samr1.train.agreement import Agreement
from samr1.train.batches import (
    Batch,
    Sample,
    learning_rate,
    read_samples,
)
from samr1.train.boards import Boards, open_boards
from samr1.train.checkpoint import Checkpoints, Progress, digest_inputs
from samr1.train.engine import Engine
from samr1.train.flat import name_flat
from samr1.train.metrics import (
    TRAINING_METRICS,
    TRAINING_TIMINGS,
    step_metrics,
    step_timing,
)
from samr1.train.models import Models, load_models
from samr1.train.questions import Questions
from samr1.train.reward import score_groups
from samr1.train.sampling import (
    Sampled,
    count_tokens,
    draw_others,
    gather_ious,
    response_records,
    sample_again,
)
from samr1.train.step import (
    advantages_of,
    plan_updates,
    roll_out,
    score_reference,
    update,
)
from samr1.train.stopping import StopRequest, watch_signals


@dataclass(frozen=True)
class Trained:
    """What training leaves: the policy and one row of metrics and of timings a step.

    Every process gets one; only the one whose `writes` is true should write the tables.
    """

    policy: Policy
    metrics: pa.Table
    timings: pa.Table
    engine: Engine
    checkpoints: Checkpoints | None

    @property
    def writes(self) -> bool:
        return self.engine.rank == 0

    def save_policy(self, folder: Path, beside: Mapping[str, str] | None = None) -> None:
        """Write the policy as a `transformers` folder; all processes take part, one writes.

        `beside` are texts that lie there too, by file name.
        """
        with self.engine.gathered_parameters():
            if self.writes:
                save_policy(self.policy, folder, beside, maker="train_policy")

    def remove_checkpoints(self) -> None:
        """Remove them, once all that is left of the training is written; together."""
        if self.checkpoints is not None:
            self.checkpoints.remove()


def train_policy(
    stage: TrainStage,
    samples: pa.Table,
    images: ImageStore,
    root: Path,
    tensorboard: Path | None,
    checkpoints: Path | None = None,
    kind: DeviceKind | None = None,
    log_to: Sequence[Tracker] = (),
) -> Trained:
    """Train the base policy of `stage` on `samples` (`schemas.SAMPLES`).

    `images` holds the resized images that the policy sees; the segmenter sees the originals under
    `root`. The next step's batch is made while the models work on this one's. With a folder of
    `checkpoints` it goes on from the newest there, and on one of `stopping.SIGNALS` it raises
    `Stopped` after the step under way, and a checkpoint of it. `kind` is that of `use_device`. The
    metrics go to event files under `tensorboard`, and to `log_to`, as they come. Raises UserError
    for unusable data or models, and where training goes wrong.
    """
    if images.image_size != stage.policy.image_size:
        raise UserError(
            f"{images.path}: its images are {images.image_size} pixels a side and the policy's "
            f"{stage.policy.image_size} (policy.image_size); resize them again."
        )
    rows = read_samples(samples)
    models = load_models(stage, kind)
    engine = models.engine
    steps = stage.train.count_steps(len(rows))
    with watch_signals() if checkpoints else nullcontext(StopRequest()) as asked:
        keeper = None if checkpoints is None else _keep(checkpoints, models, rows, images, stage)
        done = (keeper and keeper.load()) or Progress(0, [], [])
        boards = _open_boards(tensorboard, log_to, done, engine, stage)
        questions = Questions(models.policy, rows, images, root, stage)
        batches = questions.batches(done.step, steps, engine.rank, engine.processes)
        bar = _progress_bar(done.step, steps, engine, stage)
        with boards, closing(bar), closing(prefetch(batches)) as ready:
            for step in bar:
                rate = learning_rate(step, steps, stage.train)
                done, response = _step(models, questions, ready, done, rate, stage)
                _say_step(bar, done.metrics, response, engine, stage)
                if keeper is not None:
                    _keep_step(keeper, done, steps, asked, engine, stage)
                boards.add_step(done.metrics[-1], done.timings[-1])
    return Trained(
        policy=models.policy,
        metrics=pa.Table.from_pylist(done.metrics, schema=TRAINING_METRICS),
        timings=pa.Table.from_pylist(done.timings, schema=TRAINING_TIMINGS),
        engine=engine,
        checkpoints=keeper,
    )


def _open_boards(
    tensorboard: Path | None,
    log_to: Sequence[Tracker],
    done: Progress,
    engine: Engine,
    stage: TrainStage,
) -> Boards:
    """The first process's boards, with the steps that are done; the others write none."""
    if engine.rank > 0:
        return Boards([])
    name = f"{stage.name}/seed_{stage.seed}"
    boards = open_boards(tensorboard, log_to, name, stage.model_dump(mode="json"))
    for row, timing in zip(done.metrics, done.timings, strict=True):
        boards.add_step(row, timing)
    return boards


def _progress_bar(first: int, steps: int, engine: Engine, stage: TrainStage) -> tqdm[int]:
    return tqdm(
        range(first, steps),
        desc=stage.name,
        unit="step",
        initial=first,
        total=steps,
        disable=engine.rank > 0,
        mininterval=bar_interval(),
    )


def _say_step(
    bar: tqdm[int],
    metrics: Sequence[Mapping[str, float]],
    response: str,
    engine: Engine,
    stage: TrainStage,
) -> None:
    """Show the last of the rows of `metrics` on the bar, and name a reward that stays flat."""
    row = metrics[-1]
    bar.set_postfix(reward=f"{row['reward_total']:.2f}", iou=f"{row['iou']:.3f}", refresh=False)
    if engine.rank == 0:
        for sentence in name_flat(metrics, response, stage.reward):
            tqdm.write(printable(f"step {len(metrics) - 1}: {sentence}"), file=sys.stderr)


def _keep(
    folder: Path, models: Models, rows: list[Sample], images: ImageStore, stage: TrainStage
) -> Checkpoints:
    engine = models.engine
    # The reference is the policy that training starts from; with adapters, which are new as yet.
    weights = {"policy": models.reference.model, "segmenter": models.segmenter.model}
    with engine.gathered_parameters():
        found = [digest_inputs(rows, images.path, **weights)] if engine.rank == 0 else []
    return Checkpoints(folder, engine, stage, engine.gather(found)[0])


def _keep_step(
    keeper: Checkpoints,
    done: Progress,
    steps: int,
    asked: StopRequest,
    engine: Engine,
    stage: TrainStage,
) -> None:
    """Write a checkpoint where one is due; raises `Stopped` on all processes if one was asked to.

    The signal need not reach all processes, and not all in the same step.
    """
    names = [name for name in engine.gather([asked.name]) if name]
    if not names and done.step % stage.train.checkpoint_steps and done.step < steps:
        return
    path = keeper.save(done)
    if names and done.step < steps:
        raise Stopped(
            f"{names[0]} stopped the training after step {done.step} of {steps}; the same command "
            f"goes on from {path}."
        )


def _step(
    models: Models,
    questions: Questions,
    ready: Iterator[Batch],
    done: Progress,
    rate: float,
    stage: TrainStage,
) -> tuple[Progress, str]:
    """One step on this process's next batch: how far training has come, and a response to show."""
    engine, step, begin = models.engine, done.step, time.perf_counter()
    clock = Stopwatch(wait_for(models.policy.model.device))
    with clock.phase("encode"):  # what is left to wait for
        batch = next(ready)
    sampled = _sample(models, questions, batch, clock, done, stage)
    rollout = sampled.rollout
    advantages = advantages_of(sampled.scored, stage)
    with clock.phase("reference"):
        reference = score_reference(models.reference, engine, rollout, stage)
    with clock.phase("update"):
        updates = plan_updates(engine, rollout, batch.in_step, batch.is_padding, stage)
        records, norms = update(engine, rollout, reference, advantages, updates, rate, step, stage)
    responses = engine.gather(response_records(sampled))
    passes = engine.gather(records)
    row = step_metrics(step, responses, passes, norms, rate)
    window = done.window
    if stage.reward.segmentation == "quantile":
        window = window.extended(gather_ious(sampled, engine))
    agreement = Agreement.together(one.agreement for one in passes if one.agreement)
    tokens = sum(engine.gather([] if batch.is_padding else [sampled.tokens]))
    total = time.perf_counter() - begin
    timing = step_timing(step, clock.seconds, total, tokens, agreement)
    now = Progress(step + 1, [*done.metrics, row], [*done.timings, timing], window)
    return now, rollout.texts[0][0]


def _sample(
    models: Models,
    questions: Questions,
    batch: Batch,
    clock: Stopwatch,
    done: Progress,
    stage: TrainStage,
) -> Sampled:
    """The batch's groups and their rewards, sampled again as `train.filter_groups` says."""

    def sample(batch: Batch) -> Sampled:
        with clock.phase("rollout"), any_order():
            rollout = roll_out(
                models.policy, models.engine, batch.samples, batch.questions, done.step, stage
            )
        with clock.phase("reward"):
            scored = score_groups(models.segmenter, batch, rollout.texts, stage, done.window)
        return Sampled(batch, rollout, scored, count_tokens(rollout))

    def sample_others(drawn: list[Sample]) -> Sampled:
        with clock.phase("encode"):
            part = questions.prepare(drawn)
        return sample(part)

    sampled = sample(batch)
    if (found := stage.train.filter_groups) is None:
        return sampled
    others = draw_others(len(questions.rows), batch.drawn, done.step, stage.seed)
    fresh = (questions.rows[index] for index in others)
    rounds = found.max_num_gen_batches - 1
    return sample_again(sampled, models.engine, fresh, sample_others, rounds)
