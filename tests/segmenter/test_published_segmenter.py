"""SAM 2 as Meta publishes it: .pt files and sam2's own yaml; no weights are needed."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import huggingface_hub
import numpy as np
import pytest
import torch
import yaml
from hydra.utils import instantiate
from omegaconf import OmegaConf
from safetensors.torch import save_file
from torch import Tensor

from samr1.config.schema import parse_config
from samr1.core.errors import UserError
from samr1.micro.segmenter_config import SEGMENTER_CONFIG
from samr1.segmenter import Prompt, Segmenter
from samr1.segmenter.build import build_sam2, load_sam2, read_config
from samr1.segmenter.files import PUBLISHED, SegmenterFiles, find_sam2, published_config
from samr1.segmenter.schema import Sam2Part

REVISION = "e6a8e8809b8f1bfa2238b6d080f3d05cc76bd251"
# Bytes of Meta's sam2_hiera_large.pt, of which all but names and padding is float32.
LARGE_BYTES = 897_952_466


@pytest.fixture(scope="module")
def tiny() -> dict[str, Tensor]:
    """The weights of a SAM2-Tiny, random."""
    torch.manual_seed(0)
    weights: dict[str, Tensor] = build_sam2(
        read_config(published_config("sam2_hiera_tiny"))
    ).state_dict()
    return weights


@pytest.fixture
def micro(tmp_path: Path) -> SegmenterFiles:
    """A random micro SAM, its weights laid out as Meta lays them out."""
    torch.manual_seed(1)
    model = build_sam2(SEGMENTER_CONFIG)
    files = SegmenterFiles(tmp_path / "config.yaml", tmp_path / "weights.pt")
    files.config.write_text(yaml.safe_dump(SEGMENTER_CONFIG))
    torch.save({"model": model.state_dict()}, files.weights)
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    return files


def test_a_pt_file_gives_the_masks_of_the_same_weights_in_a_folder(micro: SegmenterFiles) -> None:
    image = np.random.default_rng(0).integers(0, 256, (61, 97, 3), dtype=np.uint8)
    prompts = [Prompt((10.0, 12.0, 60.0, 50.0), ((30.0, 30.0, 1),)), Prompt((0.0, 0.0, 97.0, 61.0))]
    from_folder = Segmenter.load(micro.config.parent, 128)
    from_pt = Segmenter(load_sam2(micro))
    theirs = from_folder.predict(from_folder.embed(image), prompts)
    ours = from_pt.predict(from_pt.embed(image), prompts)
    assert torch.equal(ours[0], theirs[0]) and torch.equal(ours[1], theirs[1])


def test_metas_name_says_which_sam_it_is(tiny: dict[str, Tensor], tmp_path: Path) -> None:
    file = tmp_path / "sam2_hiera_tiny.pt"
    torch.save({"model": tiny}, file)
    loaded = Segmenter.load(file, 1024).model.state_dict()
    assert loaded.keys() == tiny.keys()
    assert all(torch.equal(weight, loaded[name]) for name, weight in tiny.items())
    other = file.rename(tmp_path / "sam2_hiera_small.pt")
    with pytest.raises(UserError, match=r"do not fit sam2_hiera_s\.yaml: \d+ missing .*, …\), .*"):
        Segmenter.load(other, 1024)
    with pytest.raises(UserError, match=r"none of Meta's checkpoints, which are sam2_hiera_tiny, "):
        Segmenter.load(other.rename(tmp_path / "my_sam.pt"), 1024)


def test_every_published_name_has_a_yaml_of_sam2() -> None:
    for name in PUBLISHED:
        config = parse_config(read_config(published_config(name)), Sam2Part, name)
        assert config.image_size == 1024, name
        assert config.memory_encoder.fuser.layer.layer_scale_init_value == 1e-6, name


@pytest.mark.parametrize("name", ["micro", "sam2_hiera_tiny", "sam2.1_hiera_small"])
def test_hydra_would_build_the_same(name: str) -> None:
    config = SEGMENTER_CONFIG
    if name != "micro":
        loaded = OmegaConf.to_container(OmegaConf.load(published_config(name)))
        assert isinstance(loaded, dict)
        config = loaded["model"]
    torch.manual_seed(5)
    ours = build_sam2(config if name == "micro" else read_config(published_config(name)))
    torch.manual_seed(5)
    theirs = instantiate(dict(config), _recursive_=True, _convert_="all").eval()
    state = theirs.state_dict()
    assert list(ours.state_dict()) == list(state)
    assert all(torch.equal(weight, state[key]) for key, weight in ours.state_dict().items())
    assert _settings(ours) == _settings(theirs)


def _settings(model: torch.nn.Module) -> list[Any]:
    """The class of each module in `model`, and what it was told."""
    plain = (bool, int, float, str, list, tuple, type(None))
    return [
        (type(one), {name: value for name, value in vars(one).items() if isinstance(value, plain)})
        for one in model.modules()
    ]


def test_large_has_as_many_weights_as_metas_file() -> None:
    model = build_sam2(read_config(published_config("sam2_hiera_large")))
    assert sum(weight.numel() for weight in model.parameters()) == 224_430_130
    weights = model.state_dict()
    assert len(weights) == 900
    names_and_padding = LARGE_BYTES - 4 * sum(weight.numel() for weight in weights.values())
    assert 0 < names_and_padding < 300 * len(weights)


def test_a_hub_name_is_metas_pt_at_that_commit(
    tiny: dict[str, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def download(name: str, file: str, revision: str) -> str:
        asked.append((name, file, revision))
        return str(tmp_path / file)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    found = find_sam2(f"facebook/sam2.1-hiera-base-plus@{REVISION}")
    assert asked == [("facebook/sam2.1-hiera-base-plus", "sam2.1_hiera_base_plus.pt", REVISION)]
    assert found.config.name == "sam2.1_hiera_b+.yaml"
    assert found.weights == tmp_path / "sam2.1_hiera_base_plus.pt"
    with pytest.raises(UserError, match="none of Meta's checkpoints"):
        find_sam2(f"facebook/sam-vit-huge@{REVISION}")


class Attack:
    """Writes a file when it is unpickled by a reader that runs what it is told."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.file,)


def test_a_malicious_checkpoint_is_refused_and_not_run(
    micro: SegmenterFiles, tmp_path: Path
) -> None:
    proof = tmp_path / "was_run"
    micro.weights.write_bytes(pickle.dumps(Attack(proof), protocol=2))
    with pytest.raises(UserError, match="asks to run code"):
        load_sam2(micro)
    torch.save({"model": Attack(proof)}, micro.weights)
    with pytest.raises(UserError, match="asks to run code"):
        load_sam2(micro)
    assert not proof.exists()
    torch.load(micro.weights, weights_only=False)  # the attack itself works
    assert proof.exists()


@pytest.mark.parametrize("content", [{"weights": {}}, {"model": {"a": 1}}, [torch.zeros(1)]])
def test_a_file_of_something_else_is_refused(micro: SegmenterFiles, content: Any) -> None:
    torch.save(content, micro.weights)
    with pytest.raises(UserError, match="holds no weights under `model`"):
        load_sam2(micro)


@pytest.mark.parametrize("text", ["- a", "model: a", "model: {a: 1}", "a: ${", "a: [", "a: \x00"])
def test_a_broken_configuration_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(UserError, match=r"config\.yaml: (.*; correct the line|must be a mapping)"):
        read_config(tmp_path / "config.yaml")


def test_names_that_do_not_fit_are_said(micro: SegmenterFiles) -> None:
    weights = torch.load(micro.weights, weights_only=True)["model"]
    del weights["no_mem_embed"]
    weights["extra"] = torch.zeros(1)
    weights["maskmem_tpos_enc"] = torch.zeros(9)
    torch.save({"model": weights}, micro.weights)
    with pytest.raises(
        UserError,
        match=r"config\.yaml: 1 missing \(no_mem_embed\), 1 unexpected \(extra\), 1 of another "
        r"shape \(maskmem_tpos_enc: \(9,\) instead of",
    ):
        load_sam2(micro)
