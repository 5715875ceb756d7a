"""The training loop on a random policy and a random segmenter, against plain computations."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import save_file
from test_rollout import plain_logprobs
from tiny import random_image, tiny_policy
from torch import Tensor, nn

from samr1 import schemas
from samr1.cli import train_policy as command
from samr1.config import TrainStage
from samr1.data.images import load_rgb
from samr1.data.masks import decode_mask, encode_mask, mask_iou
from samr1.data.resizing import ImageStore, resize_images
from samr1.errors import UserError
from samr1.files import read_table, write_table
from samr1.grpo.objective import policy_objective
from samr1.micro.segmenter_config import SEGMENTER_CONFIG
from samr1.policy.answer import parse_answer, to_original
from samr1.policy.model import Policy, encode_question, load_policy, save_policy
from samr1.rollout.sample import Group, sample_groups
from samr1.segmenter import Prompt, Segmenter
from samr1.segmenter.build import build_sam2
from samr1.train.batches import count_steps, draw_batches, learning_rate, read_samples
from samr1.train.engine import Engine, join_processes
from samr1.train.loop import train_policy
from samr1.train.metrics import TRAINING_METRICS
from samr1.train.reward import judge_groups
from samr1.train.step import Rollout, plan_passes, update

SIDE = 56  # of the policy's images


def make_stage(folder: Path, **train: Any) -> TrainStage:
    settings: dict[str, Any] = {
        "steps": 3,
        "group_size": 3,
        "questions_per_step": 2,
        "updates_per_rollout": 2,
        "learning_rate": 1e-3,
        "weight_decay": 0.01,
        "max_grad_norm": 0.5,
        "schedule": "linear",
        "warmup_steps": 0,
        "clip_low": 0.2,
        "clip_high": 0.3,
        "kl_coef": 0.005,
        "token_level": True,
        "temperature": 1.0,
        "top_p": 1.0,
        "max_response_tokens": 8,
        "tokens_per_pass": 4096,
        "zero_stage": 0,
    }
    return TrainStage.model_validate(
        {
            "name": "test",
            "seed": 0,
            "dialect": "sam_r1",
            "threads": 1,
            "policy": {
                "path": str(folder / "policy"),
                "image_size": SIDE,
                "dtype": "float32",
                "train_vision": True,
            },
            "segmenter": {"path": str(folder / "segmenter"), "image_size": 128},
            "reward": {"segmentation": "tiered", "negative_points": "none"},
            "train": settings | train,
        }
    )


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A policy, a segmenter, and five samples on three images of unequal sizes."""
    folder = tmp_path_factory.mktemp("world")
    save_policy(tiny_policy(), folder / "policy")
    torch.manual_seed(3)
    model = build_sam2(SEGMENTER_CONFIG)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.2)
    (folder / "segmenter").mkdir()
    (folder / "segmenter" / "config.yaml").write_text(yaml.safe_dump(SEGMENTER_CONFIG))
    save_file(model.state_dict(), folder / "segmenter" / "model.safetensors")
    draw = np.random.default_rng(0)
    rows = []
    for index in range(5):
        image = index % 3
        width, height = 90 + 10 * image, 70
        pixels = np.random.default_rng(image).integers(0, 256, (height, width, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{image}.png")
        mask = np.zeros((height, width), bool)
        left, top = draw.integers(0, 30, 2)
        mask[top : top + 30, left : left + 40] = True
        rows.append(
            {
                "sample_id": f"s{index}",
                "dataset": "refcocog",
                "split": "train",
                "image_id": f"i{image}",
                "image_path": f"{image}.png",
                "width": width,
                "height": height,
                "query": "a ball" + " there" * index,
                "sentence_index": 0,
                "box": [float(left), float(top), float(left + 40), float(top + 30)],
                "mask": encode_mask(mask),
                "ignore": None,
            }
        )
    table = pa.Table.from_pylist(rows, schema=schemas.SAMPLES)
    write_table(folder / "samples.parquet", table)
    resize_images(table, folder, SIDE, folder / "images.parquet")
    return folder


def samples_of(world: Path) -> pa.Table:
    return read_table(world / "samples.parquet", schemas.SAMPLES)


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
    assert count_steps(3000, epoch) == 188
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
    samples = read_samples(samples_of(world))
    judged = judge_groups(segmenter, samples, [TEXTS] * len(samples), world, stage)
    seen = set()
    for sample, group in zip(samples, judged, strict=True):
        truth = decode_mask(sample.mask)
        for text, ours in zip(TEXTS, group, strict=True):
            own = parse_answer(text, "sam_r1", (SIDE, SIDE))
            iou = 0.0
            if own.box is not None:
                there = to_original(own, (SIDE, SIDE), (sample.width, sample.height))
                embedding = segmenter.embed(load_rgb(world / sample.image_path))
                masks, _ = segmenter.predict(embedding, [Prompt(there.box, there.points)])
                iou = mask_iou(masks[0].numpy(), truth)
            assert ours.iou == pytest.approx(iou, abs=1e-6)
            seen.add(round(iou, 4))
        totals = [response.parts.total for response in group]
        assert totals[1] == totals[6] == totals[7] == -2.0
        # Coordinates beyond the image cost the format reward and nothing else.
        assert group[3].parts.segmentation_format == -1.0
        assert group[3].parts.reasoning_format == 1.0
    assert len(seen) > 4


def make_rollout(policy: Policy) -> Rollout:
    questions = [
        encode_question(policy, random_image(index, side), query, "qwen")
        for index, (side, query) in enumerate([(56, "a ball"), (84, "the blue ring"), (56, "x")])
    ]
    groups = sample_groups(
        policy,
        questions,
        group_size=3,
        temperature=1.0,
        max_new_tokens=6,
        keys=[(0, 0, index) for index in range(3)],
    )
    return Rollout(questions, groups, [], None)


def run_update(world: Path, zero_stage: int, tokens_per_pass: int) -> tuple[Policy, list[float]]:
    stage = make_stage(
        world, zero_stage=zero_stage, tokens_per_pass=tokens_per_pass, learning_rate=1e-2
    )
    join_processes()
    policy = load_policy(world / "policy")
    rollout = make_rollout(policy)
    engine = Engine(policy, stage)
    passes = plan_passes(engine, rollout, 3, True, stage)
    assert len(passes) == (3 if tokens_per_pass == 1 else 1)
    reference, advantages = reference_and_advantages(rollout)
    _, norms = update(engine, rollout, reference, advantages, passes, [1e-2, 1e-2], 0, stage)
    with engine.whole_weights():
        return load_state(policy), norms


def load_state(policy: Policy) -> Policy:
    copy = tiny_policy()
    copy.model.load_state_dict(policy.model.state_dict())
    return copy


def reference_and_advantages(rollout: Rollout) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(5)
    longest = max(len(response) for group in rollout.responses for response in group)
    reference = -5 + torch.rand(3, 3, longest, generator=draw)
    return reference, torch.randn(3, 3, generator=draw)


def plain_update(world: Path) -> tuple[Policy, list[float]]:
    """The twin: torch's own AdamW, one full forward pass a response, no engine."""
    policy = load_policy(world / "policy")
    rollout = make_rollout(policy)
    reference, advantages = reference_and_advantages(rollout)
    optimizer = torch.optim.AdamW(policy.model.parameters(), lr=1e-2, weight_decay=0.01)
    old = torch.zeros_like(reference)
    norms = []
    for number in range(2):
        new, mask = torch.zeros_like(reference), torch.zeros_like(reference)
        for q, g in itertools.product(range(3), range(3)):
            response = rollout.responses[q][g]
            new[q, g, : len(response)] = plain_logprobs(policy, rollout.questions[q], response, 1.0)
            mask[q, g, : len(response)] = 1
        if number == 0:
            old = new.detach()
        terms = policy_objective(
            new,
            old,
            reference,
            advantages,
            mask,
            clip_low=0.2,
            clip_high=0.3,
            kl_coef=0.005,
            token_level=True,
        )
        optimizer.zero_grad()
        (-terms.objective).backward()
        norms.append(float(nn.utils.clip_grad_norm_(policy.model.parameters(), 0.5)))
        optimizer.step()
    return policy, norms


@pytest.mark.parametrize(("zero_stage", "tokens_per_pass"), [(0, 4096), (0, 1), (2, 1)])
def test_an_update_of_the_engine_is_torchs_adamw_on_the_whole_step(
    world: Path, zero_stage: int, tokens_per_pass: int
) -> None:
    plain, plain_norms = plain_update(world)
    ours, norms = run_update(world, zero_stage, tokens_per_pass)
    assert norms == pytest.approx(plain_norms, rel=1e-4)
    start = load_policy(world / "policy").model.state_dict()
    theirs = plain.model.state_dict()
    moved = torch.cat([(theirs[name] - start[name]).flatten() for name in start])
    apart = torch.cat(
        [(weight - theirs[name]).flatten() for name, weight in ours.model.state_dict().items()]
    )
    assert float(moved.abs().mean()) > 3e-3
    # AdamW divides by the gradient's own size, so a gradient that is all rounding may turn around.
    assert float(apart.norm() / moved.norm()) < 2e-3


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


def run_command_line(world: Path, output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = output.with_suffix(".yaml")
    config.write_text(yaml.safe_dump(make_stage(world).model_dump(mode="json")))
    arguments = {
        "config": config,
        "samples": world / "samples.parquet",
        "images": world / "images.parquet",
        "root": world,
        "output-policy": output / "policy",
        "output-metrics": output / "metrics.parquet",
        "output-timings": output / "timings.parquet",
        "tensorboard": output / "board",
    }
    flags = itertools.chain(*((f"--{name}", str(value)) for name, value in arguments.items()))
    monkeypatch.setattr("sys.argv", ["train_policy", *flags])
    command.main()


def test_training_twice_gives_the_same_bytes(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        run_command_line(world, tmp_path / name, monkeypatch)
    names = ["metrics.parquet", *(f"policy/{p.name}" for p in (tmp_path / "a/policy").iterdir())]
    assert "policy/model.safetensors" in names
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name
    rows = read_table(tmp_path / "a" / "metrics.parquet", TRAINING_METRICS).to_pylist()
    assert [row["step"] for row in rows] == [0, 1, 2]
    assert rows[0]["rollout_logprob_gap"] < 1e-4
    assert rows[0]["kl"] < rows[-1]["kl"]
    assert all(row["reward_total"] == -2.0 and row["share_no_spread"] == 1.0 for row in rows)
    assert [row["learning_rate"] for row in rows] == pytest.approx([1e-3, 2e-3 / 3, 1e-3 / 3])
    seconds = read_table(tmp_path / "a" / "timings.parquet").to_pylist()
    assert all(row["total"] > row["rollout"] > 0 for row in seconds)
    assert list((tmp_path / "a" / "board").glob("events.out.tfevents.*"))


def test_a_rollout_of_another_distribution_stops_the_training(world: Path) -> None:
    stage = make_stage(world)
    join_processes()
    policy = load_policy(world / "policy")
    rollout = make_rollout(policy)
    shifted = [
        Group(group.responses, [row + 0.01 for row in group.logprobs], group.truncated)
        for group in rollout.groups
    ]
    rollout = replace(rollout, groups=shifted)
    engine = Engine(policy, stage)
    passes = plan_passes(engine, rollout, 3, True, stage)
    reference, advantages = reference_and_advantages(rollout)
    with pytest.raises(UserError, match=r"largest difference is 1\.00e-02, more than 1e-04"):
        update(engine, rollout, reference, advantages, passes, [1e-3], 0, stage)


def test_a_loss_that_is_no_number_stops_the_training(world: Path) -> None:
    stage = make_stage(world)
    join_processes()
    policy = load_policy(world / "policy")
    rollout = make_rollout(policy)
    engine = Engine(policy, stage)
    passes = plan_passes(engine, rollout, 3, True, stage)
    reference, advantages = reference_and_advantages(rollout)
    with pytest.raises(UserError, match="step 7, update 1: the loss is nan"):
        update(engine, rollout, reference * torch.nan, advantages, passes, [1e-3], 7, stage)


def test_images_of_another_size_are_refused(world: Path) -> None:
    stage = make_stage(world)
    larger = stage.model_copy(update={"policy": stage.policy.model_copy(update={"image_size": 84})})
    with pytest.raises(UserError, match="56 pixels a side and the policy's 84"):
        train_policy(larger, samples_of(world), ImageStore(world / "images.parquet"), world, None)
