"""The model card of a trained policy: what it is, how it was trained, how it is loaded.

It is made of the run's configuration, its samples and its training metrics alone, so that it is the
same bytes each time. What benchmarks say of the policy is not known when it is written.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
from huggingface_hub import ModelCardData

from samr1.config.schema import RewardConfig, TrainStage
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

# Loading without this project; {…} are filled in, and the rest is as it stands.
_TRANSFORMERS = """from PIL import Image
from transformers import AutoImageProcessor, AutoModelForImageTextToText, AutoTokenizer

folder, question = ".", "the red circle"
model = AutoModelForImageTextToText.from_pretrained(folder, dtype="auto")
tokenizer = AutoTokenizer.from_pretrained(folder)
processor = AutoImageProcessor.from_pretrained(folder, backend="pil")

square = ({size}, {size})
picture = Image.open("picture.png").convert("RGB").resize(square, Image.Resampling.BILINEAR)
image = processor(images=[picture], do_resize=False, return_tensors="pt")
prompt = {prompt}
messages = [{system}
    {{
        "role": "user",
        "content": [{{"type": "image"}}, {{"type": "text", "text": prompt.format(query={query})}}],
    }},
]
text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
tokens = int(image["image_grid_thw"].prod()) // processor.merge_size**2
text = text.replace("<|image_pad|>", "<|image_pad|>" * tokens)
inputs = tokenizer(text, return_tensors="pt")
inputs["mm_token_type_ids"] = (inputs["input_ids"] == model.config.image_token_id).int()
output = model.generate(**inputs, **image, max_new_tokens={limit}, do_sample=False)
response = tokenizer.decode(output[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
print(response)
"""


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
    datasets = sorted(set(samples["dataset"].to_pylist()))
    parts = [
        f"---\n{_front_matter(stage, datasets)}\n---",
        f"# {stage.name}",
        "A policy for reasoning segmentation, trained by SAM-R1 (arXiv 2505.22596): it reads an "
        "image and a question, thinks, and answers with a box, a point and a label, which a frozen "
        f"SAM 2 turns into a mask. This is the run `{stage.name}` with seed {stage.seed}, from "
        f"{_base(stage)}.",
        f"## Data\n\n{_data(samples, root)}",
        f"## Rewards\n\n{_rewards(stage.reward)}",
        f"## Training\n\n{_training(stage)}",
        f"## Metrics\n\n{_metrics(metrics)}\n\nThese are of the training questions. What "
        "benchmarks say of the policy was not known when this was written: in the workflow's "
        f"results it is under `metrics/{stage.name}/seed_{stage.seed}/` and in the tables.",
        f"## How to use it\n\n{_usage(stage)}",
        f"## Licence\n\n{_licence(stage)}",
    ]
    return "\n\n".join(parts) + "\n"


def _front_matter(stage: TrainStage, datasets: list[str]) -> str:
    base = require(stage.policy.path)
    # With a local base, as the tiny one, the data may be drawn in the layout of these sets.
    of_base: dict[str, Any] = {"license": "unknown"}
    if isinstance(base, HubName):
        of_base |= {"base_model": base.name, "datasets": datasets} | _LICENCES.get(base.name, {})
    elif is_shipped(stage.policy.path, "policy"):
        of_base["license"] = "apache-2.0"
    return ModelCardData(
        library_name="transformers",
        pipeline_tag="image-text-to-text",
        tags=["samr1", "image-segmentation", "reasoning-segmentation", "grpo", "sam2"],
        **of_base,
    ).to_yaml()


def _base(stage: TrainStage) -> str:
    base = require(stage.policy.path)
    if isinstance(base, HubName):
        return f"`{base.name}` at revision `{base.revision}`"
    if is_shipped(stage.policy.path, "policy"):
        return "the tiny policy that samr1 ships (`micro`), which knows drawn scenes alone"
    return f"a policy in a folder called `{base.name}`"


def _data(samples: pa.Table, root: Path) -> str:
    counted = samples.group_by(["dataset", "split"]).aggregate([("sample_id", "count")]).to_pylist()
    sets = ", ".join(
        f"{row['sample_id_count']:,} of `{row['dataset']}` ({row['split']})"
        for row in sorted(counted, key=lambda row: (row["dataset"], row["split"]))
    )
    images = len(set(samples["image_id"].to_pylist()))
    return (
        f"{len(samples):,} questions on {images:,} images: {sets}, read from a data root called "
        f"`{root.name}`. Where that is a world drawn by samr1, as at its micro scale, they are "
        "drawn scenes in that data set's file layout, and not the data set itself."
    )


def _rewards(reward: RewardConfig) -> str:
    if reward.segmentation == "tiered":
        mask = "4 above 0.8, 3 above 0.7, 2 above 0.5, else 0"
    elif reward.threshold is not None:
        mask = f"4 above {reward.threshold:g}, else 0"
    else:
        mask = f"the reward `{reward.segmentation}`"
    lines = [
        f"- IoU of SAM's mask with the ground truth: {mask}",
        "- form of the thought and its tags: +1 or −1",
        "- form of the answer: +1 or −1",
    ]
    if reward.negative_points != "none":
        inside = ", all inside the answer's own box" if reward.negative_points == "inside" else ""
        lines.append(f"- points of both values, on the object and off it{inside}: +1")
    return "\n".join(lines)


def _training(stage: TrainStage) -> str:
    train = stage.train
    level = "the group's tokens" if train.token_level else "each response's tokens"
    rows = {
        "objective": f"GRPO, averaged over {level}",
        "responses a question": train.group_size,
        "questions a step": train.questions_per_step,
        "updates a rollout": train.updates_per_rollout,
        "learning rate": f"{train.learning_rate:g}, {train.schedule}",
        "clipping": f"1 − {train.clip_low:g} to 1 + {train.clip_high:g}",
        "weight of the KL term": f"{train.kl_coef:g}",
        "temperature": f"{train.temperature:g}",
        **_what_learns(stage),
        "number format": stage.policy.dtype,
        "image": f"{stage.policy.image_size}×{stage.policy.image_size} pixels",
        "prompt and answer": f"dialect `{stage.dialect}`",
        "segmenter": f"`{_segmenter(stage)}`",
    }
    lines = [f"| {name} | {value} |" for name, value in rows.items()]
    return "\n".join(["| setting | value |", "|---|---|", *lines])


def _what_learns(stage: TrainStage) -> dict[str, str]:
    lora, vision = stage.train.lora, stage.policy.train_vision
    if lora is None:
        return {"vision tower": "trained" if vision else "frozen"}
    where = ", ".join(f"`{layer}`" for layer in lora.targets)
    return {
        "trained": f"adapters of rank {lora.rank} (alpha {lora.alpha:g}) on {where}, merged here",
        "vision tower": "adapters too" if vision else "frozen",
    }


def _segmenter(stage: TrainStage) -> str:
    place = settings_of(stage).segmenter
    return place if place == MICRO or isinstance(require(place), HubName) else Path(place).name


def _metrics(metrics: pa.Table) -> str:
    """Means over the first and the last tenth of the steps."""
    steps = len(metrics)
    part = max(1, steps // 10)
    lines = []
    for column, name, digits in _METRICS:
        values = metrics[column].to_pylist()
        first, last = sum(values[:part]) / part, sum(values[-part:]) / part
        lines.append(f"| {name} | {first:.{digits}f} | {last:.{digits}f} |")
    head = f"| mean over {part} of {steps} steps | the first | the last |"
    return "\n".join([head, "|---|---:|---:|", *lines])


def _usage(stage: TrainStage) -> str:
    form = get_dialect(stage.dialect)
    system = f'\n    {{"role": "system", "content": {form.system!r}}},'
    code = _TRANSFORMERS.format(
        size=stage.policy.image_size,
        prompt=repr(form.template),
        system="" if form.system is None else system,
        query="question" if form.strip is None else f"question.lower().strip({form.strip!r})",
        limit=stage.train.max_response_tokens,
    )
    frame = f"on 0 to {form.relative} of either side" if form.relative else "in pixels"
    return (
        "With samr1, from the folder that holds this page (`samr1.json` beside it says how the "
        "policy is asked):\n\n"
        '    samr1 segment picture.png "the red circle" --policy .\n\n'
        "or in Python, with masks:\n\n"
        "    from samr1.app.model import load_samr1\n\n"
        '    answers = load_samr1(".").segment("picture.png", ["the red circle"])\n\n'
        f"With `transformers` alone; boxes and points are then {frame} of the square, and there "
        f"is no mask:\n\n```python\n{code}```"
    )


def _licence(stage: TrainStage) -> str:
    if is_shipped(stage.policy.path, "policy"):
        return "Apache-2.0, as samr1 itself, its tiny policy and its drawn world."
    base = require(stage.policy.path)
    known = _LICENCES.get(base.name) if isinstance(base, HubName) else None
    if known is None:
        return "That of its base and of its data; none is known to the program that wrote this."
    name = known.get("license_name", known["license"])
    return f"That of its base ({name}); the data have terms of their own."
