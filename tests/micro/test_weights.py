"""The shipped weights: small, and as good as training and evaluation need them, on new scenes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from samr1.config.names import DialectName
from samr1.micro.policy_config import IMAGE_SIZE
from samr1.micro.queries import ask_refcocog
from samr1.micro.scenes import Scene, draw_scene, generator, render
from samr1.micro.tokenizer import TAUGHT
from samr1.policy.answer import Answer, parse_answer
from samr1.policy.model import EncodedPrompt, Policy, encode_question, load_policy
from samr1.pretrain.check import segmenter_iou
from samr1.rollout.sample import Group, sample_groups
from samr1.segmenter import Segmenter

WEIGHTS = Path(__file__).parents[2] / "src/samr1/micro/weights"
START = Path(__file__).parents[2] / "src/samr1/pretrain/start"
FRAME = (IMAGE_SIZE, IMAGE_SIZE)


@pytest.fixture(scope="module")
def policy() -> Policy:
    return load_policy(WEIGHTS / "policy")


def new_scenes(count: int) -> list[Scene]:
    """Scenes that neither the world nor the cold start has."""
    return [draw_scene(generator("test", "weights", index)) for index in range(count)]


def test_weights_are_at_most_20_megabytes() -> None:
    files = [*WEIGHTS.rglob("*.safetensors"), *START.rglob("*.safetensors")]
    assert len(files) == 4
    assert sum(path.stat().st_size for path in files) <= 20_000_000


def test_segmenter_finds_the_thing_in_the_true_box() -> None:
    segmenter = Segmenter.load(WEIGHTS / "segmenter", image_size=128)
    assert segmenter_iou(segmenter, new_scenes(40))[0] >= 0.85


def ask(policy: Policy, dialect: DialectName, scenes: int) -> list[EncodedPrompt]:
    """Questions in RefCOCOg's manner about the last things of new scenes."""
    rng, questions = generator("test", "dialect"), []
    for scene in new_scenes(scenes):
        question = ask_refcocog(rng, scene, len(scene.things) - 1)
        if question is not None:
            image = render(scene).resize(FRAME, Image.Resampling.BILINEAR)
            questions.append(encode_question(policy, image, question.text, dialect))
    return questions


def read(policy: Policy, groups: list[Group], dialect: DialectName) -> list[Answer]:
    texts = [
        str(policy.tokenizer.decode(response, skip_special_tokens=True))
        for group in groups
        for response in group.responses
    ]
    return [parse_answer(text, dialect, FRAME) for text in texts]


@pytest.mark.parametrize("dialect", TAUGHT)
def test_policy_answers_in_every_dialect(policy: Policy, dialect: DialectName) -> None:
    questions = ask(policy, dialect, 80)
    groups = sample_groups(policy, questions, group_size=1, temperature=0.0, max_new_tokens=96)
    answers = read(policy, groups, dialect)
    assert np.mean([answer.status == "ok" for answer in answers]) >= 0.95
    if dialect != "qwen":
        assert all(len((answer.think or "").split()) >= 8 for answer in answers)


def test_policy_knows_both_values_of_a_point(policy: Policy) -> None:
    # Greedily it says 1 alone, as the paper's does; a reward can only find what is sampled.
    questions = ask(policy, "sam_r1_points", 24)
    keys = [(0, index) for index in range(len(questions))]
    groups = sample_groups(
        policy, questions, group_size=4, temperature=1.0, max_new_tokens=96, keys=keys
    )
    values = [p[2] for answer in read(policy, groups, "sam_r1_points") for p in answer.points]
    assert 0.02 < values.count(0) / len(values) < 0.5
