"""What is looked at before a run, on models that are whole and on models that are not."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import torch
from commands import exit_code
from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError
from safetensors.torch import load_file, save_file
from spoiling import CONFIG, TEMPLATE, WEIGHTS, Spoil, first, lose, put, text, weight
from tiny import tiny_policy
from training_world import make_stage

from samr1.cli import check_models
from samr1.config.lora import LoraConfig
from samr1.config.merge import load_experiment
from samr1.config.schema import (
    PolicyConfig,
    PredictConfig,
    PredictStage,
    SegmenterConfig,
    TrainStage,
    dump_stage,
)
from samr1.core import hub
from samr1.core.checks import Check, run_steps, write_page
from samr1.core.device import use_device
from samr1.core.errors import UserError
from samr1.core.hub import HubName, locate
from samr1.policy.check import check_policy
from samr1.policy.files import PATTERNS
from samr1.policy.model import save_policy
from samr1.segmenter.check import check_segmenter
from samr1.train.check import check_running

ROOT = Path(__file__).parents[2]
MICRO = ROOT / "src/samr1/micro/weights"
REVISION = "cc594898137f460bfe9f0759e9844b3ce807cfb5"


def policy_config(path: str | Path, image_size: int = 84) -> PolicyConfig:
    return PolicyConfig(path=str(path), image_size=image_size, dtype="float32", train_vision=True)


def segmenter_config(path: Path, image_size: int = 128) -> SegmenterConfig:
    return SegmenterConfig(path=str(path), image_size=image_size)


def predict_stage(policy: PolicyConfig) -> PredictStage:
    return PredictStage(
        name="base",
        dialect="sam_r1",
        threads=1,
        policy=policy,
        segmenter=segmenter_config(MICRO / "segmenter"),
        evaluation=PredictConfig(batch_size=1, max_response_tokens=8),
    )


def look_at_policy(
    path: Path, image_size: int = 84, training: TrainStage | None = None
) -> list[Check]:
    stage = predict_stage(policy_config(path, image_size))
    steps = check_policy(stage.policy, stage.dialect)
    return run_steps(chain(steps, check_running(stage, training, use_device)))


def look_at_segmenter(config: SegmenterConfig) -> list[Check]:
    return run_steps(check_segmenter(config, use_device))


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    save_policy(tiny_policy(), tmp_path / "policy")
    return tmp_path / "policy"


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Check the shipped models as a run that is trained from them has it done; the exit code."""
    monkeypatch.chdir(ROOT)
    run = load_experiment(ROOT / "config", "micro").runs["sam_r1"]
    given = {"config": tmp_path / "predict.yaml", "training": tmp_path / "train.yaml"}
    given["config"].write_text(dump_stage(run.predict_stage()))
    given["training"].write_text(dump_stage(run.train_stage()))
    return partial(exit_code, check_models.main, **given, output=tmp_path / "page.md")


def test_whole_models_pass_and_the_page_says_what_was_found(
    command: Callable[..., int], tmp_path: Path
) -> None:
    assert command() == 0
    text = (tmp_path / "page.md").read_text()
    assert text.count("| ok |") == 11 and "FAILED" not in text
    assert "| policy: configuration | ok | 1,568,672 parameters" in text
    assert "12×12 patches" in text and "279 names and shapes" in text
    assert "4 decoded at most, in float32 on cpu: finite" in text


def test_without_the_gpu_that_is_asked_for_all_but_running_is_looked_at(
    command: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("--device", "cuda") == 1 and not (tmp_path / "page.md").exists()
    said = capsys.readouterr().err
    assert said.count("| ok |") == 5 + 2
    assert "| policy: decoding | FAILED | this job is to run on a GPU" in said
    assert said.endswith("or set gpus: 0 in the scale file (--device cpu).\n")


LORA = LoraConfig(rank=2, alpha=4, targets=("q_proj", "down_proj"))


@pytest.mark.parametrize("train_vision", [True, False])
@pytest.mark.parametrize("train", [{}, {"gradient_checkpointing": True}, {"lora": LORA}])
def test_a_training_pass_is_taken_as_it_is_configured(
    policy: Path, train: dict[str, Any], train_vision: bool
) -> None:
    stage = make_stage(policy.parent, **train)
    changed = stage.policy.model_copy(update={"train_vision": train_vision})
    stage = stage.model_copy(update={"policy": changed})
    checks = look_at_policy(policy, training=stage)
    assert all(one.passed for one in checks), checks[-1]
    last = checks[-1]
    assert last.name == "policy: training pass"
    assert ("computed again" in last.found) == ("gradient_checkpointing" in train)
    model = tiny_policy().model
    if "lora" in train:  # two matrices in each adapted layer; the tower has no q_proj
        count = 2 * 2 * 2 + (2 * 2 if train_vision else 0)
    else:
        vectors = [name for name, weight in model.named_parameters() if weight.ndim == 1]
        of_tower = [name for name in vectors if ".visual." in name]
        count = len(vectors) + 1 if train_vision else len(vectors) - len(of_tower)
    assert f": {count} gradients" in last.found


def test_a_kernel_that_fails_is_one_sentence(policy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("Failed to find C compiler.\nand a page of details")

    monkeypatch.setattr("samr1.rollout.logprobs.PackedRows", fail)
    last = look_at_policy(policy, training=make_stage(policy.parent))[-1]
    assert last.name == "policy: training pass" and not last.passed
    assert "fails on this device (Failed to find C compiler.); see" in last.found


def lose_a_weight(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    del weights["visual.merger.ln_q.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def cut_short(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1000])


def show_no_image(folder: Path) -> None:
    template = folder / "chat_template.jinja"
    template.write_text(template.read_text().replace("<|image_pad|>", "an image"))


def lose_a_token(folder: Path) -> None:
    for file in folder.glob("tokenizer*.json"):
        file.write_text(file.read_text().replace("<|vision_end|>", "<|sight_end|>"))


FAULTS: list[tuple[Spoil, str, str]] = [
    (lose(WEIGHTS), "files", "only safetensors are read"),
    (text(CONFIG, "{"), "configuration", "not a JSON file"),
    (cut_short, "weights", "cannot be read"),
    (lose_a_weight, "weights", "1 missing (model.visual.merger.ln_q.weight)"),
    (
        put(CONFIG, "text_config.intermediate_size", 96),
        "weights",
        "6 of another shape (model.language_model.layers.0.mlp.",
    ),
    (lose_a_token, "tokenizer", "lacks the token <|vision_end|>"),
    (lose(TEMPLATE), "tokenizer", "no chat template"),
    (show_no_image, "tokenizer", "writes 0 image tokens"),
    (
        weight("model.norm.weight", first(math.nan)),
        "decoding",
        "in model.language_model.norm.weight that are infinite",
    ),
]


@pytest.mark.parametrize(("fault", "name", "said"), FAULTS)
def test_a_fault_fails_its_check_and_ends_the_looking(
    policy: Path, fault: Spoil, name: str, said: str
) -> None:
    fault(policy)
    *before, last = look_at_policy(policy)
    assert all(one.passed for one in before)
    assert not last.passed
    assert (last.name, said in last.found) == (f"policy: {name}", True), last


def test_an_image_size_that_does_not_fit_the_patches_fails(policy: Path) -> None:
    last = look_at_policy(policy, image_size=80)[-1]
    assert last.name == "policy: image size" and "a multiple of 14" in last.found


def test_a_policy_that_does_not_fit_is_said(policy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("samr1.train.check.load_policy", load)
    last = look_at_policy(policy)[-1]
    assert last.name == "policy: decoding" and "does not fit into the memory" in last.found


def test_a_segmenter_of_another_input_fails() -> None:
    config = segmenter_config(MICRO / "segmenter", 1024)
    last = look_at_segmenter(config)[-1]
    assert last.name == "segmenter: weights" and "set segmenter.image_size to 128" in last.found


def test_a_pt_file_that_is_not_metas_own_fails(tmp_path: Path) -> None:
    (tmp_path / "sam2_hiera_large.pt").write_bytes(b"other weights")
    config = segmenter_config(tmp_path / "sam2_hiera_large.pt", 1024)
    last = look_at_segmenter(config)[-1]
    assert last.name == "segmenter: checksum"
    assert "not 7442e4e9b732a508f80e141e7c2913437a3610ee0c77381a66658c3a445df87b" in last.found


def test_a_hub_name_is_downloaded_at_its_commit_and_read_from_there(
    policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def download(name: str, revision: str, allow_patterns: list[str]) -> str:
        asked.append((name, revision, allow_patterns))
        return str(policy)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    config = policy_config(f"Qwen/Qwen2.5-VL-7B-Instruct@{REVISION}")
    checks = run_steps(check_policy(config, "sam_r1"))
    assert [one.passed for one in checks] == [True] * 5
    assert asked == [("Qwen/Qwen2.5-VL-7B-Instruct", REVISION, PATTERNS)]


def test_a_hub_that_cannot_be_reached_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def download(*_: object, **__: object) -> str:
        raise ConnectionError("no route\nand a page of details")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    with pytest.raises(UserError, match=r"cannot be had from the model hub \(no route\); correct"):
        hub.fetch_file(HubName("owner/name", REVISION), "config.json")


def test_what_a_repository_lacks_is_told_from_a_hub_that_is_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails_with(error: Exception) -> None:
        def download(*_: object, **__: object) -> str:
            raise error

        monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)

    place = HubName("owner/name", REVISION)
    fails_with(EntryNotFoundError("404"))
    assert hub.fetch_file_if_there(place, "samr1.json") is None
    for error in (LocalEntryNotFoundError("offline"), ConnectionError("no route")):
        fails_with(error)
        with pytest.raises(UserError, match="cannot be had from the model hub"):
            hub.fetch_file_if_there(place, "samr1.json")


def test_a_hub_name_needs_its_commit_and_a_local_path_does_not(tmp_path: Path) -> None:
    assert locate(f"owner/name@{REVISION}") == HubName("owner/name", REVISION)
    assert locate(tmp_path) == tmp_path
    assert locate("src/samr1/micro/weights/policy") == Path("src/samr1/micro/weights/policy")
    for path in ("owner/name", "owner/name@main", f"owner/name@{REVISION[:7]}", "owner/name@"):
        with pytest.raises(ValueError, match=r"owner/name@<commit of 40 hexadecimal digits>"):
            locate(path)


def test_a_bar_does_not_end_a_cell_of_the_page() -> None:
    page = write_page("models", [Check("tokens", False, "lacks <|image_pad|>")])
    assert r"| tokens | FAILED | lacks <\|image_pad\|> |" in page
