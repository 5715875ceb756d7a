"""Which questions a step takes, what reward they get, and the whole loop on a random policy."""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import yaml
from commands import call
from training_world import SIDE, batch_of, command_line, make_stage, samples_of

from samr1.cli import train_policy as command
from samr1.config.names import DIALECTS, DialectName
from samr1.core.errors import UserError
from samr1.core.files import read_table
from samr1.data.images import load_rgb
from samr1.data.masks import box_iou, decode_mask, encode_mask, mask_iou
from samr1.data.resizing import ImageStore
from samr1.policy.answer import Answer, parse_answer, to_original
from samr1.policy.dialects import get_dialect
from samr1.policy.model import load_policy
from samr1.segmenter import Prompt, Segmenter, answer_masks
from samr1.train import loop, reward
from samr1.train.batches import draw_batches, learning_rate
from samr1.train.loop import train_policy
from samr1.train.metrics import TRAINING_METRICS
from samr1.train.reward import score_groups


def test_an_epoch_takes_every_sample_once_and_then_another_order() -> None:
    batches = list(draw_batches(10, 4, 6, seed=1))
    assert [len(batch) for batch in batches] == [4, 4, 2, 4, 4, 2]
    first, second = (list(itertools.chain(*part)) for part in (batches[:3], batches[3:]))
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second
    assert batches == list(draw_batches(10, 4, 6, seed=1))
    assert batches != list(draw_batches(10, 4, 6, seed=2))


def test_steps_and_learning_rates(tmp_path: Path) -> None:
    epoch = make_stage(tmp_path, steps=None, questions_per_step=16).train
    assert epoch.count_steps(3000) == 188
    linear = make_stage(tmp_path, warmup_steps=2, learning_rate=1.0).train
    rates = [learning_rate(step, 6, linear) for step in range(6)]
    assert rates == [0.5, 1.0, 1.0, 0.75, 0.5, 0.25]
    constant = make_stage(tmp_path, schedule="constant", learning_rate=1.0).train
    assert [learning_rate(step, 3, constant) for step in range(3)] == [1.0, 1.0, 1.0]


def answer(box: list[Any], point: list[Any]) -> str:
    return (
        f'<think> left of it </think><answer>{{"bbox_2d": {box}, "point_2d": {point}, '
        '"label": "ball"}</answer>'
    )


TEXTS = [
    answer([5, 5, 30, 40], [10, 20]),
    "no idea",
    answer([0, 0, 56, 56], [30, 30]),
    answer([-5, 10, 90, 56], [80, 20]),
    answer(["a", 1, 2, 3], [1, 1]),
    answer([9, 9, 9, 9], [1, 1]),
    "[" * 4000,
    "",
]


def test_rewards_in_one_batch_equal_one_image_and_one_prompt_at_a_time(world: Path) -> None:
    stage = make_stage(world)
    segmenter = Segmenter.load(stage.segmenter.path, 128)
    batch = batch_of(world, stage)
    samples = batch.samples
    scored = score_groups(segmenter, batch, [TEXTS] * len(samples), stage)
    seen = set()
    for sample, group in zip(samples, scored, strict=True):
        truth = decode_mask(sample.mask)
        for text, ours in zip(TEXTS, group, strict=True):
            own = parse_answer(text, "sam_r1", (SIDE, SIDE))
            iou, right = 0.0, False
            if own.box is not None:
                there = to_original(own, (SIDE, SIDE), (sample.width, sample.height))
                embedding = segmenter.embed(load_rgb(world / sample.image_path))
                masks, _ = segmenter.predict(embedding, [Prompt(there.box, there.points)])
                iou = mask_iou(masks[0].numpy(), truth)
                ((x, y, _),) = there.points
                edge = sample.height - 1, sample.width - 1  # a point is clipped to the frame
                right = bool(truth[min(int(y), edge[0]), min(int(x), edge[1])])
            assert ours.iou == pytest.approx(iou, abs=1e-6)
            assert ours.right_point is right
            seen.add((round(iou, 4), right))
        totals = [response.parts.total for response in group]
        assert totals[1] == totals[6] == totals[7] == -2.0
        # Coordinates beyond the image cost the format reward and nothing else.
        assert group[3].parts.segmentation_format == -1.0
        assert group[3].parts.reasoning_format == 1.0
    assert len(seen) > 4 and {right for _, right in seen} == {True, False}


def test_where_a_box_is_all_that_is_known_the_iou_is_that_of_boxes(world: Path) -> None:
    stage = make_stage(world)
    segmenter = Segmenter.load(stage.segmenter.path, 128)
    plain, table = batch_of(world, stage), samples_of(world)
    masks, boxes = table["mask"].to_pylist(), table["box"].to_pylist()
    place = table.schema.get_field_index("mask")
    mixed = pa.array([None, *masks[1:4], None], table.schema.field("mask").type)
    batch = batch_of(world, stage, table.set_column(place, table.schema.field("mask"), mixed))
    expected = score_groups(segmenter, plain, [TEXTS] * 5, stage)
    for i, group in enumerate(score_groups(segmenter, batch, [TEXTS] * 5, stage)):
        if i in (0, 4):
            size = batch.samples[i].width, batch.samples[i].height
            for response in group:
                own = to_original(response.answer, (SIDE, SIDE), size).box
                iou = box_iou(own, boxes[i]) if own else 0.0
                assert response.iou == pytest.approx(iou)
            assert 0 < group[0].iou < 1
            # The world's targets are rectangles, in which a point lies or does not either way.
            rights = [response.right_point for response in expected[i]]
            assert [response.right_point for response in group] == rights
        else:
            assert group == expected[i]


def test_ignored_pixels_are_left_out_of_the_reward_on_both_sides(world: Path) -> None:
    stage, table = make_stage(world), samples_of(world)
    segmenter = Segmenter.load(stage.segmenter.path, 128)
    truths = [decode_mask(one) for one in table["mask"].to_pylist()]
    place, field = table.schema.get_field_index("ignore"), table.schema.field("ignore")
    around = pa.array([encode_mask(~truth) for truth in truths], field.type)
    whole = [TEXTS[2]]
    plain = score_groups(segmenter, batch_of(world, stage), [whole] * len(truths), stage)
    batch = batch_of(world, stage, table.set_column(place, field, around))
    for truth, sample, (before,), (ours,) in zip(
        truths,
        batch.samples,
        plain,
        score_groups(segmenter, batch, [whole] * len(truths), stage),
        strict=True,
    ):
        there = to_original(ours.answer, (SIDE, SIDE), (sample.width, sample.height))
        embedding = segmenter.embed(load_rgb(world / sample.image_path))
        (mask,), _ = segmenter.predict(embedding, [Prompt(there.box, there.points)])
        # Nothing but the target is left to be compared: what of it the mask covers.
        assert ours.iou == pytest.approx((mask.numpy() & truth).sum() / truth.sum())
        assert ours.iou >= before.iou and ours.right_point == before.right_point
    assert any(one[0].iou < 0.9 for one in plain)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_segmenter_is_asked_in_training_as_in_evaluation(
    world: Path, dialect: DialectName, monkeypatch: pytest.MonkeyPatch
) -> None:
    # In every dialect: where coordinates are relative, or rounded to pixels of the original, too.
    stage = make_stage(world).model_copy(update={"dialect": dialect})
    segmenter = Segmenter.load(stage.segmenter.path, 128)
    batch = batch_of(world, stage)
    form = get_dialect(dialect)
    frame = form.frame(SIDE)
    box = (frame[0] / 7, frame[0] / 7, frame[0] / 2, frame[0] / 2)
    spot = (frame[0] / 3, frame[0] / 4, 1)
    text = form.respond("it is left", box, [spot, spot], "ball")
    read = parse_answer(text, dialect, frame)
    asked: list[Answer] = []

    def answer_masks_and_note(*given: Any) -> Any:
        asked.extend(given[2])
        return answer_masks(*given)

    monkeypatch.setattr(reward, "answer_masks", answer_masks_and_note)
    score_groups(segmenter, batch, [[text]] * 5, stage)
    sizes = {(sample.width, sample.height) for sample in batch.samples}
    assert set(asked) == {to_original(read, frame, size, dialect) for size in sizes}
    whole = [all(float(edge).is_integer() for edge in one.box or ()) for one in asked]
    assert all(whole) if form.to_pixel(0.7) == 1 else not any(whole)


def test_an_image_is_embedded_once_a_step_and_a_few_together(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = make_stage(world)
    segmenter = Segmenter.load(stage.segmenter.path, 128)
    batch = batch_of(world, stage)  # five questions on three images
    sizes = []
    embed_batch = segmenter.embed_batch
    monkeypatch.setattr(
        segmenter, "embed_batch", lambda images: sizes.append(len(images)) or embed_batch(images)
    )
    together = score_groups(segmenter, batch, [TEXTS] * 5, stage)
    assert sizes == [3]
    monkeypatch.setattr("samr1.segmenter.segmenter.EMBEDDED_TOGETHER", 1)
    assert score_groups(segmenter, batch, [TEXTS] * 5, stage) == together
    assert sizes == [3, 1, 1, 1]


def test_a_frozen_vision_tower_stays_as_it_is(world: Path) -> None:
    stage = make_stage(world, steps=1)
    frozen = stage.model_copy(
        update={"policy": stage.policy.model_copy(update={"train_vision": False})}
    )
    trained = train_policy(
        frozen, samples_of(world), ImageStore(world / "images.parquet"), world, None
    )
    start = load_policy(world / "policy").model.state_dict()
    now = trained.policy.model.state_dict()
    assert all(torch.equal(now[name], start[name]) for name in start if ".visual." in name)


def test_the_update_is_deterministic_and_the_rollout_need_not_be(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, bool] = {}
    for name in ("roll_out", "score_groups", "update"):
        work = getattr(loop, name)

        def called(*given: Any, name: str = name, work: Any = work) -> Any:
            asked[name] = torch.are_deterministic_algorithms_enabled()
            return work(*given)

        monkeypatch.setattr(loop, name, called)
    images = ImageStore(world / "images.parquet")
    train_policy(make_stage(world, steps=1), samples_of(world), images, world, None)
    assert asked == {"roll_out": False, "score_groups": True, "update": True}


def test_no_step_draws_from_a_generator_that_a_checkpoint_does_not_keep(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def states() -> tuple[object, ...]:
        numbers: Any = np.random.get_state()
        return torch.get_rng_state().tolist(), numbers[1].tolist(), numbers[2], random.getstate()

    first: list[tuple[object, ...]] = []
    roll_out = loop.roll_out

    def called(*given: Any) -> Any:
        first.append(states())
        return roll_out(*given)

    monkeypatch.setattr(loop, "roll_out", called)
    images = ImageStore(world / "images.parquet")
    train_policy(make_stage(world, steps=2), samples_of(world), images, world, None)
    assert states() == first[1] == first[0]


def run_command_line(world: Path, output: Path, *more: str) -> None:
    config = output.with_suffix(".yaml")
    config.write_text(yaml.safe_dump(make_stage(world).model_dump(mode="json")))
    call(command.main, *more, **command_line(world, output, config))


def test_training_twice_gives_the_same_bytes(world: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        run_command_line(world, tmp_path / name)
    names = ["metrics.parquet", *(f"policy/{p.name}" for p in (tmp_path / "a/policy").iterdir())]
    assert {"policy/model.safetensors", "policy/README.md", "policy/samr1.json"} < set(names)
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name
    rows = read_table(tmp_path / "a" / "metrics.parquet", TRAINING_METRICS).to_pylist()
    assert [row["step"] for row in rows] == [0, 1, 2]
    assert rows[0]["rollout_logprob_gap"] < 1e-4
    assert rows[0]["kl"] < rows[-1]["kl"]
    assert all(row["reward_total"] == -2.0 and row["frac_reward_zero_std"] == 1.0 for row in rows)
    assert [row["learning_rate"] for row in rows] == pytest.approx([1e-3, 2e-3 / 3, 1e-3 / 3])
    seconds = read_table(tmp_path / "a" / "timings.parquet").to_pylist()
    assert all(row["total"] > row["rollout"] > 0 for row in seconds)
    assert list((tmp_path / "a" / "board").glob("events.out.tfevents.*"))


def test_how_often_a_training_is_kept_is_an_option(world: Path, tmp_path: Path) -> None:
    run_command_line(world, tmp_path / "a", "--checkpoint-steps", "2")
    metadata = pq.read_schema(tmp_path / "a" / "metrics.parquet").metadata
    assert yaml.safe_load(metadata[b"config"])["train"]["checkpoint_steps"] == 2


def test_a_training_on_a_gpu_that_is_not_there_is_refused(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match=r"is to run on a GPU and CUDA is not available here"):
        run_command_line(world, tmp_path / "out", "--device", "cuda")
    assert not (tmp_path / "out").exists()


def test_images_of_another_size_are_refused(world: Path) -> None:
    stage = make_stage(world)
    larger = stage.model_copy(update={"policy": stage.policy.model_copy(update={"image_size": 84})})
    with pytest.raises(UserError, match="56 pixels a side and the policy's 84"):
        train_policy(larger, samples_of(world), ImageStore(world / "images.parquet"), world, None)
