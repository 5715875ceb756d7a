"""Two whole training steps on drawn pictures, a checkpoint, and the second step once more."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import torch
from torch import Tensor

from samr1.config.schema import TrainStage
from samr1.core import schemas
from samr1.core.device import any_order, make_deterministic, wait_for
from samr1.core.stopwatch import Stopwatch
from samr1.data.masks import encode_mask, mask_box, polygons_to_mask
from samr1.data.resizing import ImageStore, resize_images
from samr1.gpu.findings import Finding, Findings, found, holds, not_measured
from samr1.gpu.models import random_policy, random_segmenter
from samr1.gpu.setting import Setting, train_stage
from samr1.gpu.timing import seconds_of
from samr1.micro.scenes import draw_scene, encode_jpeg, generator, render
from samr1.planning.parameters import count_parts, text_of
from samr1.policy.dialects import get_dialect
from samr1.policy.model import Policy
from samr1.segmenter import Segmenter
from samr1.train.agreement import Agreement
from samr1.train.batches import Batch, prepare_batch, read_samples
from samr1.train.checkpoint import Checkpoints, Progress, digest_inputs
from samr1.train.engine import Engine, join_processes
from samr1.train.reward import score_groups
from samr1.train.step import Rollout, advantages_of, plan_updates, roll_out, score_reference, update

_BYTES = 12  # of each trained number in a checkpoint: master and two moments


def look(setting: Setting) -> Findings:
    """Step 0, a checkpoint, step 1; then back to the checkpoint, and step 1 again."""
    join_processes(tf32=True)
    make_deterministic()
    with tempfile.TemporaryDirectory(prefix="check_gpu-") as folder:
        yield from _look(_make_training(setting, Path(folder)), Path(folder))


def _look(training: _Training, folder: Path) -> Findings:
    config, device = training.setting.small, training.setting.device
    weights, text = count_parts(config).all, text_of(config)
    note = f"published widths, {text.num_hidden_layers} layers, {text.vocab_size:,} tokens"
    yield found("training.weights", "weights that are trained", weights, note=note)
    yield _said("training.step_0", "step 0, compiling", training.take(0))
    free, needed = shutil.disk_usage(folder).free, 1.1 * _BYTES * weights
    if free < needed:
        why = f"{needed / 1e9:.0f} GB are needed at {folder.parent} and {free / 1e9:.0f} are free"
        yield _said("training.step_1", "step 1", training.take(1))
        yield not_measured("training.again", "checkpoint, and the same step again", why)
        return
    saved = training.weights()
    keeper = training.keeper(folder)
    seconds = seconds_of(lambda: keeper.save(Progress(1, [], [])), device)
    size = sum(file.stat().st_size for file in keeper.folder.rglob("*.safetensors")) / 1e9
    note = f"{size:.3g} GB, {size / seconds:.2f} GB/s with its digest"
    yield found("training.save", "checkpoint written", seconds, "s", note)
    first = training.take(1)
    yield _said("training.step_1", "step 1", first)
    seconds = seconds_of(keeper.load, device)
    note = f"{size / seconds:.2f} GB/s with its digest"
    yield found("training.load", "checkpoint read", seconds, "s", note)
    yield holds(
        "training.loaded", "what was loaded is what was saved", _same(saved, training.weights())
    )
    again = training.take(1)
    yield holds(
        "training.again_tokens", "step 1 again: the same tokens", first.tokens == again.tokens
    )
    key, what = "training.again_weights", "step 1 again: the same weights, to the byte"
    same = _same(first.weights, again.weights)
    note = f"largest difference {_farthest(first.weights, again.weights):.2g}"
    if training.setting.cuda:  # the vision tower's attention promises no order of summation there
        yield found(key, what, same, note=note)
    else:
        yield holds(key, what, same, note)


@dataclass(frozen=True)
class _Step:
    """What a step left: seconds by phase, tokens, weights, and how near the rollout it began."""

    seconds: dict[str, float]
    tokens: list[list[list[int]]]
    weights: list[Tensor]
    agreement: Agreement
    entropy: float


def _said(key: str, what: str, step: _Step) -> Finding:
    phases = ", ".join(f"{name} {seconds:.2f}" for name, seconds in step.seconds.items())
    k3 = step.agreement.means()["gap_k3"]
    note = f"{phases}; entropy {step.entropy:.2f} nats, k3 to the rollout {k3:.1e}"
    return found(key, what, sum(step.seconds.values()), "s", note)


def _same(ours: Sequence[Tensor], theirs: Sequence[Tensor]) -> bool:
    return all(torch.equal(one, two) for one, two in zip(ours, theirs, strict=True))


def _farthest(ours: Sequence[Tensor], theirs: Sequence[Tensor]) -> float:
    pairs = zip(ours, theirs, strict=True)
    return max(float((one.float() - two.float()).abs().max()) for one, two in pairs)


@dataclass(frozen=True)
class _Training:
    """The models of a training, and its one batch."""

    setting: Setting
    stage: TrainStage
    policy: Policy
    reference: Policy
    segmenter: Segmenter
    engine: Engine
    batch: Batch
    images: Path

    def take(self, step: int) -> _Step:
        """One step as the loop takes it."""
        engine, stage, batch = self.engine, self.stage, self.batch
        clock = Stopwatch(wait_for(self.setting.device))
        with clock.phase("rollout"), any_order():
            rollout = roll_out(self.policy, engine, batch.samples, batch.questions, step, stage)
        with clock.phase("reward"):
            texts = _answer_some(rollout, stage)
            advantages = advantages_of(score_groups(self.segmenter, batch, texts, stage), stage)
        with clock.phase("reference"):
            reference = score_reference(self.reference, engine, rollout, stage)
        with clock.phase("update"):
            updates = plan_updates(engine, rollout, batch.in_step, batch.is_padding, stage)
            rate = stage.train.learning_rate
            records, _ = update(engine, rollout, reference, advantages, updates, rate, step, stage)
        return _Step(
            seconds=clock.seconds,
            tokens=rollout.responses,
            weights=self.weights(),
            agreement=Agreement.together(one.agreement for one in records if one.agreement),
            entropy=sum(record.entropy for record in records) / len(records),
        )

    def weights(self) -> list[Tensor]:
        """Copies of all weights."""
        return [weight.detach().clone() for weight in self.policy.model.parameters()]

    def keeper(self, folder: Path) -> Checkpoints:
        models = {"policy": self.reference.model, "segmenter": self.segmenter.model}
        inputs = digest_inputs(self.batch.samples, self.images, **models)
        return Checkpoints(folder / "checkpoints", self.engine, self.stage, inputs)


def _make_training(setting: Setting, folder: Path) -> _Training:
    stage = train_stage(setting, setting.tokens)
    samples = _draw_samples(setting.questions, folder)
    images = folder / "images.parquet"
    resize_images(samples, folder, setting.image_size, images)
    policy, reference = (
        random_policy(setting.small, setting.device, setting.attention) for _ in range(2)
    )
    reference.model.requires_grad_(False)
    rows = read_samples(samples)
    return _Training(
        setting=setting,
        stage=stage,
        policy=policy,
        reference=reference,
        segmenter=random_segmenter(setting.segmenter, setting.device),
        engine=Engine(policy, stage),
        batch=prepare_batch(policy, rows, 0, 1, ImageStore(images), folder, stage),
        images=images,
    )


def _draw_samples(count: int, folder: Path) -> pa.Table:
    """Rows of `schemas.SAMPLES` about the first thing of drawn pictures, which lie in `folder`."""
    rows = []
    for number in range(count):
        scene = draw_scene(generator("check_gpu", number))
        (folder / f"{number}.jpg").write_bytes(encode_jpeg(render(scene)))
        thing = scene.things[0]
        corners = [float(value) for corner in thing.polygon for value in corner]
        mask = polygons_to_mask([corners], scene.height, scene.width)
        rows.append(
            {
                "sample_id": f"{number}",
                "dataset": "refcocog",
                "split": "train",
                "image_id": f"{number}",
                "image_path": f"{number}.jpg",
                "width": scene.width,
                "height": scene.height,
                "query": f"the {thing.color} {thing.shape}",
                "sentence_index": 0,
                "box": mask_box(mask),
                "mask": encode_mask(mask),
                "ignore": None,
            }
        )
    return pa.Table.from_pylist(rows, schema=schemas.SAMPLES)


def _answer_some(rollout: Rollout, stage: TrainStage) -> list[list[str]]:
    """The responses, every second one a well-formed answer about the middle of the picture.

    A random policy never answers: SAM would have nothing to do, and no reward would differ.
    """
    side, _ = get_dialect(stage.dialect).frame(stage.policy.image_size)
    texts = []
    for group in rollout.texts:
        texts.append(list(group))
        for index in range(0, len(group), 2):
            share = 0.2 + 0.4 * index / len(group)
            box = (share * side, share * side, 0.8 * side, 0.8 * side)
            point = (0.7 * side, 0.7 * side, 1)
            texts[-1][index] = get_dialect(stage.dialect).respond(
                "a thought", box, [point], "a thing"
            )
    return texts
