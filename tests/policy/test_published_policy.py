"""The published Qwen2.5-VL checkpoints, by their names and sizes: no weights are needed.

`fixtures/qwen2.5_vl_{3b,7b}.config.json` are the published config.json files.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import tiny_policy

from samr1.core.errors import UserError
from samr1.core.weights import Shapes, find_mismatch, safetensors_files, safetensors_shapes
from samr1.policy.meta import build_on_meta, name_as_model, needed_shapes, read_policy_config
from samr1.policy.model import load_policy, save_policy

FIXTURES = Path(__file__).parents[1] / "fixtures"
PUBLISHED: dict[str, Any] = json.loads((FIXTURES / "qwen2.5_vl.weights.json").read_text())
CONFIG_SHA256 = {
    "3b": "7ed3eed5be6924cc800e8a5e53fc405c1aab1aaf36bad65c33403b36c56827f5",
    "7b": "77d9ec7321cc572e3579e2c84799c9cadaded63c49ce93b101733349fc330c43",
}
SIZES = {"3b": (3_754_622_976, 668_684_288), "7b": (8_292_166_656, 676_550_144)}
RANGE = re.compile(r"\{0-(\d+)\}")
FILE_LIMIT = 4e9  # bytes


def published_shapes(size: str) -> Shapes:
    """Names and shapes in the order of the files: layer by layer."""

    def expand() -> Iterator[tuple[str, tuple[int, ...]]]:
        weights = PUBLISHED[size]["weights"].items()
        for pattern, group in groupby(weights, key=lambda item: item[0].partition("}")[0]):
            members = list(group)
            many = RANGE.search(members[0][0])
            for index in range(int(many[1]) + 1 if many else 1):
                for name, shape in members:
                    yield RANGE.sub(str(index), name), tuple(shape)
            assert bool(many) == ("{" in pattern)

    return dict(expand())


def index_text(shapes: Shapes) -> str:
    """The model.safetensors.index.json of these weights in bfloat16."""
    file, size, files = 1, 0, {}
    for name, shape in shapes.items():
        length = 2 * math.prod(shape)
        if size + length > FILE_LIMIT:
            file, size = file + 1, 0
        size += length
        files[name] = file
    content = {
        "metadata": {"total_size": 2 * sum(math.prod(shape) for shape in shapes.values())},
        "weight_map": {
            name: f"model-{number:05d}-of-{file:05d}.safetensors" for name, number in files.items()
        },
    }
    return json.dumps(content, indent=2, sort_keys=True) + "\n"


@pytest.mark.parametrize("size", ["3b", "7b"])
def test_the_fixtures_are_the_published_files(size: str) -> None:
    config = (FIXTURES / f"qwen2.5_vl_{size}.config.json").read_bytes()
    assert hashlib.sha256(config).hexdigest() == CONFIG_SHA256[size]
    index = index_text(published_shapes(size)).encode()
    assert hashlib.sha256(index).hexdigest() == PUBLISHED[size]["index_sha256"]


@pytest.mark.parametrize("size", ["3b", "7b"])
def test_a_published_checkpoint_fits_the_model_of_its_config(size: str, tmp_path: Path) -> None:
    config = FIXTURES / f"qwen2.5_vl_{size}.config.json"
    (tmp_path / "config.json").write_bytes(config.read_bytes())
    model = build_on_meta(read_policy_config(tmp_path))
    total, visual = SIZES[size]
    assert sum(weight.numel() for weight in model.parameters()) == total
    assert sum(weight.numel() for weight in model.model.visual.parameters()) == visual
    published, needed = published_shapes(size), needed_shapes(model)
    assert find_mismatch(needed, name_as_model(model, published)) is None
    assert len(published) == len(needed)
    # One name less, one more, one of another shape: each is found, under the model's name.
    del published["model.norm.weight"]
    published["visual.extra.weight"] = (1,)
    published["visual.blocks.31.attn.qkv.bias"] = (1,)
    assert find_mismatch(needed, name_as_model(model, published)) == (
        "1 missing (model.language_model.norm.weight), 1 unexpected (model.visual.extra.weight), "
        "1 of another shape (model.visual.blocks.31.attn.qkv.bias: (1,) instead of (3840,))"
    )


@pytest.mark.parametrize("names", ["published", "the model's"])
def test_names_are_matched_as_they_are_loaded(names: str, tmp_path: Path) -> None:
    policy = tiny_policy()
    save_policy(policy, tmp_path)  # `save_pretrained` writes the published names
    if names != "published":
        own = policy.model.state_dict()
        save_file(own, tmp_path / "model.safetensors", metadata={"format": "pt"})
    found = safetensors_shapes(safetensors_files(tmp_path))
    assert ("visual.merger.ln_q.weight" in found) == (names == "published")
    model = build_on_meta(read_policy_config(tmp_path))
    assert find_mismatch(needed_shapes(model), name_as_model(model, found)) is None
    loaded = load_policy(tmp_path).model.state_dict()
    for name, weight in policy.model.state_dict().items():
        assert torch.equal(weight, loaded[name]), name


def test_a_checkpoint_with_a_gap_is_refused(tmp_path: Path) -> None:
    save_policy(tiny_policy(), tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    gap = next(name for name in weights if name.endswith("embed_tokens.weight"))
    del weights[gap]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(
        UserError, match=r"1 missing \(model\.language_model\.embed_tokens\.weight\)"
    ):
        load_policy(tmp_path)


def test_a_checkpoint_in_files_names_those_that_are_not_there(tmp_path: Path) -> None:
    policy = tiny_policy()
    save_policy(policy, tmp_path)
    one, two = tmp_path / "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
    weights = load_file(tmp_path / "model.safetensors")
    (tmp_path / "model.safetensors").unlink()
    names = sorted(weights)
    half = {name: weights[name] for name in names[: len(names) // 2]}
    save_file(half, one, metadata={"format": "pt"})
    files = {name: one.name if name in half else two for name in names}
    index = {"metadata": {"total_size": 0}, "weight_map": files}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(UserError, match=r"lacks model-00002-of-00002\.safetensors of the 2"):
        load_policy(tmp_path)
    rest = {name: weights[name] for name in names if name not in half}
    save_file(rest, tmp_path / two, metadata={"format": "pt"})
    assert set(safetensors_shapes(safetensors_files(tmp_path))) == set(names)
    loaded = load_policy(tmp_path).model.state_dict()
    for name, weight in policy.model.state_dict().items():
        assert torch.equal(weight, loaded[name]), name


def test_weights_that_could_run_code_are_not_read(tmp_path: Path) -> None:
    save_policy(tiny_policy(), tmp_path)
    torch.save(load_file(tmp_path / "model.safetensors"), tmp_path / "pytorch_model.bin")
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(UserError, match="only safetensors are read"):
        load_policy(tmp_path)


def test_another_family_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "qwen3_vl"}')
    with pytest.raises(UserError, match="type 'qwen3_vl'; name one of type qwen2_5_vl or qwen2_vl"):
        read_policy_config(tmp_path)


def private_memory() -> int:
    """Bytes of this process that no file backs, by Linux's account."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(re.search(r"RssAnon:\s+(\d+)", status)[1])  # type: ignore[index]


def test_a_checkpoint_in_its_own_format_is_not_copied_to_the_hosts_memory(tmp_path: Path) -> None:
    policy = tiny_policy(hidden=256, layers=24, heads=4)
    policy.model.bfloat16()
    save_policy(policy, tmp_path)
    size = (tmp_path / "model.safetensors").stat().st_size
    assert size > 20e6
    del policy
    load_policy(tmp_path, "bfloat16")  # what is loaded with the first
    before = private_memory()
    loaded = load_policy(tmp_path, "bfloat16")
    assert private_memory() - before < size / 2
    assert {weight.dtype for weight in loaded.model.parameters()} == {torch.bfloat16}
