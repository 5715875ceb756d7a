"""The model card of a trained policy: what it is, how it was trained, how it is loaded.

`card.md` filled with the run's configuration, its samples and its training metrics alone, so that
it is the same bytes each time. What benchmarks say of the policy is not known when it is written.
"""

from __future__ import annotations

from pathlib import Path
from string import Template
from typing import Any

import pyarrow as pa
from huggingface_hub import ModelCardData

from samr1.config.schema import TrainStage, dump_stage
from samr1.core.hub import HubName, require
from samr1.policy.dialects import get_dialect
from samr1.policy.prompt_settings import FILE, MICRO, is_shipped, settings_of, write_settings

# The licences under which the bases are published, as their cards say.
_LICENCES = {
    "Qwen/Qwen2.5-VL-3B-Instruct": {"license": "other", "license_name": "qwen-research"},
    "Qwen/Qwen2.5-VL-7B-Instruct": {"license": "apache-2.0"},
    "Qwen/Qwen2.5-VL-32B-Instruct": {"license": "apache-2.0"},
    "Qwen/Qwen2.5-VL-72B-Instruct": {"license": "other", "license_name": "qwen"},
    **{f"Qwen/Qwen3-VL-{n}B-Instruct": {"license": "apache-2.0"} for n in (2, 4, 8, 32)},
}

# Rows of the table: column of the training metrics, what it is called, digits after the point.
_METRICS = (
    ("reward_total", "reward", 3),
    ("iou", "IoU of the mask with the ground truth", 3),
    ("share_parsed", "share of responses with a box", 3),
    ("response_length", "tokens of a response", 1),
    ("kl", "KL to the base, a token", 4),
)


def files_beside(
    stage: TrainStage, samples: pa.Table, root: Path, metrics: pa.Table
) -> dict[str, str]:
    """What lies beside a trained policy's weights, by file name: its card and how it is asked."""
    return {
        "README.md": write_card(stage, samples, root, metrics),
        FILE: write_settings(settings_of(stage)),
    }


def write_card(stage: TrainStage, samples: pa.Table, root: Path, metrics: pa.Table) -> str:
    """The card of the policy that `stage` trained on `samples` (of the data root `root`).

    `metrics` are of `TRAINING_METRICS`. Markdown with the model hub's front matter.
    """
    template = Template(Path(__file__).with_name("card.md").read_text(encoding="utf-8"))
    place = settings_of(stage).segmenter
    on_hub = place == MICRO or isinstance(require(place), HubName)
    steps = len(metrics)
    part = max(1, steps // 10)
    return template.substitute(
        name=stage.name,
        seed=stage.seed,
        root=root.name,
        settings=_settings(stage, place if on_hub else Path(place).name),
        image_size=stage.policy.image_size,
        max_response_tokens=stage.train.max_response_tokens,
        steps=steps,
        part=part,
        metrics=_metrics(metrics, part),
        **_base(stage, sorted(set(samples["dataset"].to_pylist()))),
        **_data(samples),
        **_asking(stage),
    )


def _base(stage: TrainStage, datasets: list[str]) -> dict[str, str]:
    """What the base is, its licence, and the front matter, which names both."""
    place = require(stage.policy.path)
    # With a local base, as the tiny one, the data may be drawn in the layout of these sets.
    facts: dict[str, Any] = {"license": "unknown"}
    base = f"a policy in a folder called `{place.name}`"
    licence = "That of its base and of its data; none is known to the program that wrote this."
    if isinstance(place, HubName):
        base = f"`{place.name}` at revision `{place.revision}`"
        facts |= {"base_model": place.name, "datasets": datasets}
        if known := _LICENCES.get(place.name):
            facts |= known
            name = known.get("license_name", known["license"])
            licence = f"That of its base ({name}); the data have terms of their own."
    elif is_shipped(stage.policy.path, "policy"):
        base = "the tiny base that samr1 ships, which knows drawn scenes alone"
        facts["license"] = "apache-2.0"
        licence = "Apache-2.0, as samr1 itself, its tiny policy and its drawn world."
    front_matter = ModelCardData(
        library_name="transformers",
        pipeline_tag="image-text-to-text",
        tags=["samr1", "image-segmentation", "reasoning-segmentation", "grpo", "sam2"],
        **facts,
    ).to_yaml()
    return {"base": base, "licence": licence, "front_matter": front_matter}


def _data(samples: pa.Table) -> dict[str, str]:
    counted = samples.group_by(["dataset", "split"]).aggregate([("sample_id", "count")])
    rows = counted.sort_by([("dataset", "ascending"), ("split", "ascending")]).to_pylist()
    return {
        "questions": f"{len(samples):,}",
        "images": f"{len(set(samples['image_id'].to_pylist())):,}",
        "sets": ", ".join(
            f"{row['sample_id_count']:,} of `{row['dataset']}` ({row['split']})" for row in rows
        ),
    }


def _settings(stage: TrainStage, segmenter: str) -> str:
    """All of them but for folders, which are this machine's (YAML)."""
    place = stage.segmenter.model_copy(update={"path": segmenter})
    named = stage.model_copy(update={"segmenter": place})
    return dump_stage(named, {"name": True, "policy": {"path"}})


def _metrics(metrics: pa.Table, part: int) -> str:
    """Means over the first and the last `part` steps."""
    lines = []
    for column, name, digits in _METRICS:
        values = metrics[column].to_pylist()
        first, last = sum(values[:part]) / part, sum(values[-part:]) / part
        lines.append(f"| {name} | {first:.{digits}f} | {last:.{digits}f} |")
    return "\n".join(lines)


def _asking(stage: TrainStage) -> dict[str, str]:
    form = get_dialect(stage.dialect)
    system = f'\n    {{"role": "system", "content": {form.system!r}}},'
    return {
        "frame": f"on 0 to {form.relative} of either side" if form.relative else "in pixels",
        "prompt": repr(form.template),
        "system": "" if form.system is None else system,
        "query": "question" if form.strip is None else f"question.lower().strip({form.strip!r})",
    }
