"""The card and the settings beside a trained policy: true, valid on the hub, enough to load it."""

from __future__ import annotations

import io
import re
import shutil
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml
from huggingface_hub import ModelCard
from training_world import make_stage

from samr1.app.card import files_beside
from samr1.app.model import load_samr1
from samr1.app.serving import PAGE
from samr1.config.schema import TrainStage
from samr1.core import schemas
from samr1.core.errors import UserError
from samr1.policy.dialects import SYSTEM_PROMPT
from samr1.policy.model import load_policy, save_policy
from samr1.policy.prompt_settings import BASE_SETTINGS, read_settings, resolve
from samr1.train.metrics import TRAINING_METRICS

BASE = "src/samr1/micro/weights/policy"
QWEN = "Qwen/Qwen2.5-VL-7B-Instruct"
REVISION = "cc594898137f460bfe9f0759e9844b3ce807cfb5"


def stage_of(policy: str, **changes: Any) -> TrainStage:
    """A run of `policy`, asked as the tiny one is."""
    values = make_stage(Path("/nowhere"), max_response_tokens=96).model_dump()
    values["policy"] |= {"path": policy, "image_size": 84}
    values["segmenter"]["path"] = resolve("micro", "segmenter")
    return TrainStage.model_validate(values | changes)


def beside(stage: TrainStage, steps: int = 20) -> dict[str, str]:
    rows = [
        {"sample_id": str(i), "dataset": "refcocog", "split": "train", "image_id": str(i // 2)}
        for i in range(5)
    ]
    samples = pa.Table.from_pylist(rows, schema=schemas.SAMPLES)
    metrics = pa.Table.from_pylist(
        [{name: step / 100 for name in TRAINING_METRICS.names[1:]} for step in range(steps)],
        schema=TRAINING_METRICS,
    )
    return files_beside(stage, samples, Path("/somewhere/world"), metrics)


def test_a_card_says_what_the_run_was() -> None:
    text = beside(stage_of("/models/base"))["README.md"]
    assert text == beside(stage_of("/models/base"))["README.md"]
    assert (
        "5 questions on 3 images: 5 of `refcocog` (train), read from a data root called `world`"
        in text
    )
    settings = yaml.safe_load(text.split("```yaml\n")[1].split("```")[0])
    stage = stage_of("/models/base")
    assert settings["reward"] == stage.reward.model_dump()
    assert settings["train"] == stage.train.model_dump(mode="json")
    assert settings["segmenter"]["path"] == "micro"
    # Of 20 steps the first two and the last two.
    assert "| reward | 0.005 | 0.185 |" in text
    assert "`metrics/test/seed_0/`" in text
    assert "/somewhere" not in text and "/models" not in text
    changed = beside(stage_of("/models/base"), steps=1)["README.md"]
    assert "| mean over 1 of 1 steps | the first | the last |" in changed


def test_the_front_matter_is_the_hubs() -> None:
    hub = ModelCard(beside(stage_of(f"{QWEN}@{REVISION}"))["README.md"]).data
    assert (hub.base_model, hub.license, hub.datasets) == (QWEN, "apache-2.0", ["refcocog"])
    assert (hub.pipeline_tag, hub.library_name) == ("image-text-to-text", "transformers")
    assert "image-segmentation" in hub.tags
    small = ModelCard(beside(stage_of(f"Qwen/Qwen2.5-VL-3B-Instruct@{REVISION}"))["README.md"]).data
    assert (small.license, small.to_dict()["license_name"]) == ("other", "qwen-research")
    local = ModelCard(beside(stage_of(BASE))["README.md"])
    assert (local.data.base_model, local.data.license, local.data.datasets) == (
        None,
        "apache-2.0",
        None,
    )
    assert "Apache-2.0, as samr1 itself" in local.text
    unknown = ModelCard(beside(stage_of("/models/base"))["README.md"])
    assert unknown.data.license == "unknown" and "none is known" in unknown.text
    assert "from the tiny base that samr1 ships" in local.text


def test_a_saved_policy_is_loaded_as_its_card_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By `transformers` alone and by samr1: both give the same response."""
    files = beside(stage_of(BASE))
    save_policy(load_policy(BASE), tmp_path / "policy", files)
    assert read_settings(tmp_path / "policy") == BASE_SETTINGS
    shutil.copy(
        PAGE / "example.jpg", tmp_path / "policy" / "picture.png"
    )  # the suffix says nothing
    monkeypatch.chdir(tmp_path / "policy")
    code = re.search(r"```python\n(.*?)```", Path("README.md").read_text(encoding="utf-8"), re.S)
    assert code is not None and repr(SYSTEM_PROMPT) in code[1]
    said = io.StringIO()
    with redirect_stdout(said):
        exec(code[1], {})
    answer = load_samr1(".").segment("picture.png", ["the red circle"])[0]
    assert answer.status == "ok" and answer.mask is not None
    assert said.getvalue() == f"{answer.text}\n"


def test_prompt_settings_that_are_none_are_refused(tmp_path: Path) -> None:
    assert read_settings(tmp_path) is None
    assert read_settings("micro") == read_settings(BASE) == BASE_SETTINGS
    settings = tmp_path / "samr1.json"
    for content, message in (
        ("{", r"samr1\.json: not a JSON file"),
        ("[" * 60_000, "has more than 4,096 values"),
        ("[]", "must be a JSON object"),
        ('{"dialect": "klingon"}', "dialect"),
        (BASE_SETTINGS.model_dump_json().replace("84", "840000"), "image_size = 840000"),
        (" " * 70_000, "has more than 65,536 bytes"),
    ):
        settings.write_text(content)
        with pytest.raises(UserError, match=message):
            read_settings(tmp_path)
