"""How good the tiny models are before any reward: on held-out scenes, a row a manner of asking.

The scenes are neither the world's nor the cold start's. An answer is right as in the benchmarks: if
its mask has its highest IoU with the thing that was asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count, islice, pairwise

import numpy as np
from PIL import Image

from samr1.config.names import DialectName
from samr1.data.masks import Mask, mask_box, mask_iou, polygons_to_mask
from samr1.evaluation.right import is_right_object
from samr1.method.rewards.segmentation import TIERS
from samr1.micro.policy_config import IMAGE_SIZE
from samr1.micro.queries import Question, ask_reasonseg, ask_refcocog, by_relation
from samr1.micro.scenes import Scene, Thing, draw_scene, generator, render
from samr1.policy.answer import parse_answer, to_original
from samr1.policy.model import EncodedPrompt, Policy, encode_question
from samr1.rollout.sample import Group, sample_groups
from samr1.segmenter import Embedding, Prompt, Segmenter, answer_masks

GROUP = 8
_TOGETHER = 16  # questions
_TOKENS = 96
_FRAME = (IMAGE_SIZE, IMAGE_SIZE)
Ask = Callable[[np.random.Generator, Scene, int], Question | None]


def _ask_by_relation(rng: np.random.Generator, scene: Scene, target: int) -> Question | None:
    options = list(by_relation(scene, target))
    return options[int(rng.integers(len(options)))] if options else None


def _ask_for_part(rng: np.random.Generator, scene: Scene, target: int) -> Question | None:
    return None if scene.things[target].whole is None else ask_reasonseg(rng, scene, target)


MANNERS: dict[str, Ask] = {
    "RefCOCOg-like, by relation alone": _ask_by_relation,
    "RefCOCOg-like, all": ask_refcocog,
    "ReasonSeg-like, all": ask_reasonseg,
    "ReasonSeg-like, parts": _ask_for_part,
}


@dataclass(frozen=True)
class Asked:
    """A question about a scene, and the scene's image at its own size."""

    scene: Scene
    question: Question
    image: Image.Image


@dataclass(frozen=True)
class Row:
    """What a manner of asking came to; shares and IoUs in 0–1, lengths of thoughts in tokens."""

    questions: int
    right_greedy: float
    right_sampled: float
    right_once: float  # one of the group at least
    mixed: float  # groups that hold right and wrong answers
    iou: float  # greedy
    iou_if_right: float
    tiers: tuple[float, ...]  # of the sampled IoUs: above each bound of equation 5, none below
    thoughts: tuple[float, float, float]  # lengths of the sampled: 5 %, median, 95 %


def draw_questions(ask: Ask, name: str, size: int) -> list[Asked]:
    """`size` questions, one a scene."""
    return list(islice(_draw(ask, name), size))


def _draw(ask: Ask, name: str) -> Iterator[Asked]:
    for index in count():
        rng = generator("check", name, index)
        scene = draw_scene(rng)
        question = ask(rng, scene, int(rng.integers(len(scene.things))))
        if question is not None:
            yield Asked(scene, question, render(scene))


def thing_mask(scene: Scene, thing: Thing) -> Mask:
    """The thing's pixels, bool [h, w], at the image's own size."""
    flat = [value for corner in thing.polygon for value in corner]
    return polygons_to_mask([flat], scene.height, scene.width)


def measure(policy: Policy, segmenter: Segmenter, name: str, size: int) -> Row:
    """The row of one of `MANNERS`, over `size` questions."""
    asked = draw_questions(MANNERS[name], name, size)
    greedy = np.array(_judge_all(policy, segmenter, asked, 1, 0.0))[:, 0]  # [Q, 3]
    sampled = np.array(_judge_all(policy, segmenter, asked, GROUP, 1.0))  # [Q, G, 3]
    hits, ious = sampled[..., 0], sampled[..., 1].ravel()
    right = greedy[:, 0] > 0
    edges = [np.inf, *(bound for bound, _ in TIERS), -np.inf]
    share = [float(((ious <= a) & (ious > b)).mean()) for a, b in pairwise(edges)]
    low, middle, high = np.nanquantile(sampled[..., 2], (0.05, 0.5, 0.95)).tolist()
    return Row(
        questions=size,
        right_greedy=float(right.mean()),
        right_sampled=float(hits.mean()),
        right_once=float(hits.any(1).mean()),
        mixed=float((hits.any(1) & ~hits.all(1)).mean()),
        iou=float(greedy[:, 1].mean()),
        iou_if_right=float(greedy[right, 1].mean()) if right.any() else 0.0,
        tiers=tuple(share),
        thoughts=(low, middle, high),
    )


def _judge_all(
    policy: Policy, segmenter: Segmenter, asked: list[Asked], size: int, temperature: float
) -> list[list[tuple[float, float, float]]]:
    """Right (0 or 1), IoU and the thought's tokens [Q][G] of `size` answers to each question."""
    judged: list[list[tuple[float, float, float]]] = []
    for start in range(0, len(asked), _TOGETHER):
        part = asked[start : start + _TOGETHER]
        groups = _sample(policy, part, "sam_r1", size, temperature, start)
        for one, group in zip(part, groups, strict=True):
            embedding = segmenter.embed(np.asarray(one.image))
            judged.append(_judge(policy, segmenter, embedding, one, group))
    return judged


def _sample(
    policy: Policy,
    asked: list[Asked],
    dialect: DialectName,
    size: int,
    temperature: float,
    first: int,
) -> list[Group]:
    prompts = [_encode(policy, one, dialect) for one in asked]
    return sample_groups(
        policy,
        prompts,
        group_size=size,
        temperature=temperature,
        max_new_tokens=_TOKENS,
        keys=[(0, first + i) for i in range(len(asked))],
    )


def _encode(policy: Policy, one: Asked, dialect: DialectName) -> EncodedPrompt:
    image = one.image.resize(_FRAME, Image.Resampling.BILINEAR)
    return encode_question(policy, image, one.question.text, dialect)


def _judge(
    policy: Policy, segmenter: Segmenter, embedding: Embedding, one: Asked, group: Group
) -> list[tuple[float, float, float]]:
    texts = policy.tokenizer.batch_decode(group.responses, skip_special_tokens=True)
    truths = [thing_mask(one.scene, thing) for thing in one.scene.things]
    judged = []
    for text in texts:
        answer = parse_answer(text, "sam_r1", _FRAME)
        mask = np.zeros_like(truths[0])
        if answer.box is not None:
            scaled = to_original(answer, _FRAME, (one.scene.width, one.scene.height))
            mask = answer_masks(segmenter, embedding, [scaled])[0][0].numpy()
        truth = truths[one.question.target]
        right = float(bool(is_right_object(truth, mask, truths)))
        # One that is cut off has no end, and so no length.
        thought = len(policy.tokenizer(answer.think)["input_ids"]) if answer.think else np.nan
        judged.append((right, mask_iou(mask, truth), thought))
    return judged


def parseable(policy: Policy, dialect: DialectName, size: int) -> float:
    """The share of greedy answers in `dialect` that can be read."""
    asked = draw_questions(ask_refcocog, dialect, size)
    groups = _sample(policy, asked, dialect, 1, 0.0, 0)
    texts = [policy.tokenizer.decode(g.responses[0], skip_special_tokens=True) for g in groups]
    return float(np.mean([parse_answer(str(t), dialect, _FRAME).status == "ok" for t in texts]))


def draw_scenes(size: int) -> list[Scene]:
    """The scenes that the segmenter is measured on."""
    return [draw_scene(generator("check", "segmenter", index)) for index in range(size)]


def segmenter_iou(segmenter: Segmenter, scenes: Iterable[Scene]) -> tuple[float, float]:
    """Mean IoU in the true box with a point on the thing: of all things, and of parts alone."""
    rng, all_things, parts = generator("check", "inside"), [], []
    for scene in scenes:
        embedding = segmenter.embed(np.asarray(render(scene)))
        truths = [thing_mask(scene, thing) for thing in scene.things]
        prompts = [_true_prompt(rng, truth) for truth in truths]
        masks, _ = segmenter.predict(embedding, prompts)
        for thing, mask, truth in zip(scene.things, masks, truths, strict=True):
            iou = mask_iou(mask.numpy(), truth)
            all_things.append(iou)
            if thing.whole is not None:
                parts.append(iou)
    return float(np.mean(all_things)), float(np.mean(parts))


def _true_prompt(rng: np.random.Generator, truth: Mask) -> Prompt:
    rows, columns = np.nonzero(truth)
    one = int(rng.integers(len(rows)))
    x1, y1, x2, y2 = mask_box(truth)
    return Prompt((x1, y1, x2, y2), ((float(columns[one]), float(rows[one]), 1),))
