"""The paper's shape through the workflow: 840 pixels, 900 visual tokens, eight responses, SAM 1024.

The paper's settings but for the number format (float32), one process of one thread, and the models'
size (`paper_shape`). It adds its figures to results/reference/routes.md.

The shipped policy was taught on 36 visual tokens and coordinates up to 84. A minute of teaching on
the training questions lets it answer in form at this size, so that rewards differ and have a
gradient; where it points is hardly better than chance.
"""

from __future__ import annotations

import math
from pathlib import Path

import pyarrow.parquet as pq
from paper_shape import IMAGE_SIZE, SEGMENTER_SIZE, save_policy_of_shape, save_segmenter_of_shape
from routes import Run, write_settings
from routes_report import forget, keep
from safetensors.torch import load_file

from samr1.config.data import WorldConfig
from samr1.core import schemas
from samr1.core.files import read_table
from samr1.data import refer
from samr1.data.resizing import ImageStore
from samr1.micro.world import draw_world
from samr1.policy.model import encode_question, load_policy
from samr1.train.metrics import TRAINING_METRICS

MODELS = ("base", "sam_r1")
BENCHMARKS = ("refcocog_test", "reasonseg_test")
VISUAL_TOKENS = 900


def test_the_papers_shape_trains_and_is_scored(tmp_path: Path) -> None:
    forget("3_shape")
    root, policy, segmenter = (tmp_path / name for name in ("data", "policy", "segmenter"))
    few = {name: 3 for name in WorldConfig.model_fields} | {"refcocog_train_refs": 6, "seed": 0}
    draw_world(WorldConfig(**few), root)
    questions = refer.read(root, "refcocog", "umd", "train").to_pylist()
    save_policy_of_shape(policy, questions, root)
    save_segmenter_of_shape(segmenter)
    settings = write_settings(
        tmp_path / "config",
        root,
        defaults={
            "threads": 1,
            "policy": {"path": str(policy), "dtype": "float32"},
            "segmenter": {"path": str(segmenter), "tf32": False},
            "train": {"samples": 2, "questions_per_step": 2},
        },
    )
    run = Run(settings, tmp_path / "results", root)
    files = [f"metrics/{model}/seed_0/{name}.parquet" for model in MODELS for name in BENCHMARKS]
    finished = run.snakemake(*(str(run.path(file)) for file in files))
    assert finished.code == 0, finished.text[-5000:]

    (page,) = (path.read_text(encoding="utf-8") for path in run.path("checks").glob("*.md"))
    assert f"{IMAGE_SIZE} pixels a side are 60×60 patches" in page
    assert f"input of {SEGMENTER_SIZE} pixels a side" in page
    longest = max(check_prompts(run, policy, name) for name in ("training_2", *BENCHMARKS))
    step = check_training(run, policy)
    masks = [check_answers(run, model, name) for model in MODELS for name in BENCHMARKS]
    keep(
        "3_shape",
        "At the paper's shape",
        "Images of 840×840 pixels, eight responses a question, two updates, ZeRO stage 2, gradient "
        "checkpointing, SAM at 1,024 pixels: the paper's settings but for float32, one process and "
        "the models' size. One training step on two questions, then three questions of each of two "
        "benchmarks, before it and after. The weights were taught for a minute to answer in form "
        "at this size: where they point means nothing.",
        {
            "all, s": f"{finished.seconds:.0f}",
            "image tokens of every prompt": VISUAL_TOKENS,
            "longest prompt, tokens": longest,
            "training step, s": f"{step['total']:.0f}",
            "mean response, tokens": f"{step['response_length']:.0f}",
            "responses with a box": f"{100 * step['share_parsed']:.0f} %",
            "mean IoU of the responses": f"{step['iou']:.3f}",
            "largest gap of rollout and trainer, nats": f"{step['rollout_logprob_gap']:.1e}",
            "least and largest ratio": f"{step['ratio_min']:.6f}, {step['ratio_max']:.6f}",
            "benchmark answers with a mask": f"{sum(masks)} of {3 * len(masks)}",
        },
    )


def check_prompts(run: Run, folder: Path, name: str) -> int:
    """Every question's prompt has the image in 900 tokens; the longest prompt's tokens."""
    policy = load_policy(folder)
    store = ImageStore(run.path(f"images_{IMAGE_SIZE}/{name}.parquet"))
    assert store.image_size == IMAGE_SIZE
    lengths = []
    for row in run.read_samples(name).to_pylist():
        question = encode_question(policy, store.get(row["image_id"]), row["query"], "sam_r1")
        is_image = question.input_ids == policy.model.config.image_token_id
        assert int(is_image.sum()) == VISUAL_TOKENS
        lengths.append(len(question.input_ids))
    return max(lengths)


def check_training(run: Run, base: Path) -> dict[str, float]:
    """One step of two updates, which moved language model and vision tower; what it measured."""
    (step,) = read_table(run.path("training/sam_r1/seed_0.parquet"), TRAINING_METRICS).to_pylist()
    (timing,) = pq.read_table(run.path("timings/training/sam_r1/seed_0.parquet")).to_pylist()
    assert all(math.isfinite(value) for value in (step | timing).values())
    assert step["rollout_logprob_gap"] < 1e-4
    assert step["grad_norm"] > 0
    assert step["ratio_min"] < 1 < step["ratio_max"]  # of the second update, after the first
    before, after = (
        load_file(folder / "model.safetensors")
        for folder in (base, run.path("policies/sam_r1/seed_0"))
    )
    assert before.keys() == after.keys()
    moved = {name for name in before if not before[name].equal(after[name])}
    assert {name.startswith("visual.") for name in moved} == {True, False}
    return step | timing


def check_answers(run: Run, model: str, benchmark: str) -> int:
    """Every question is answered and counts in every figure; how many answers have a mask."""
    samples = run.read_samples(benchmark).to_pylist()
    path = run.path(f"predictions/{model}/seed_0/{benchmark}.parquet")
    answers = read_table(path, schemas.PREDICTIONS).to_pylist()
    assert [row["sample_id"] for row in answers] == [row["sample_id"] for row in samples]
    for sample, answer in zip(samples, answers, strict=True):
        assert 1 <= answer["response_tokens"] <= 1024
        if answer["mask"] is not None:
            assert answer["mask"]["size"] == [sample["height"], sample["width"]]
            assert math.isfinite(answer["sam_score"])
    for protocol in ("seg_zero", "lisa"):
        figures = run.read_metrics(model, benchmark, protocol)
        assert {row["metric"] for row in figures} == {"giou", "ciou", "unparseable"}
        assert all(row["n"] == 3 and 0 <= row["value"] <= 1 for row in figures)
    return sum(answer["mask"] is not None for answer in answers)
